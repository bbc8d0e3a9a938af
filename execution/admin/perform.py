"""From a posted act to the service and back to one plain sentence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.contrib import messages
from django.utils.translation import gettext as _

from disttask_project.kernel.actor import Actor
from execution.models import Task
from execution.services import acts
from execution.services.performing import ActAnswer


def perform(instance_id: str, posted: Mapping[str, Any], actor: Actor) -> tuple[int, str]:
    """Do what a checked `ActForm` says. Returns level and text of the message; raises the service's errors."""
    act, task_id, reason = posted["act"], posted["task_id"], posted["reason"]
    if act == "retry_changed":
        changes = _changes(instance_id, task_id, posted)
        return _told(acts.retry(instance_id=instance_id, task_id=task_id, reason=reason, actor=actor, **changes))
    payload = {"output": posted["output"]} if act == "mark_success" and posted.get("output") is not None else {}
    answer = acts.perform(
        act=act, instance_id=instance_id, task_id=task_id, reason=reason, payload=payload, actor=actor
    )
    return _told(answer)


def _changes(instance_id: str, task_id: str, posted: Mapping[str, Any]) -> dict[str, Any]:
    """Only what differs from what the task has: an untouched field is no change of the operator's."""
    task = Task.objects.filter(instance_id=instance_id, task_id=task_id).first()
    before = {"input": task.input_data, "config": task.config} if task else {}
    return {
        name: posted[name]
        for name in ("input", "config")
        if posted.get(name) is not None and posted[name] != before.get(name)
    }


def _told(answer: ActAnswer) -> tuple[int, str]:
    if answer.state == "asked":
        return messages.INFO, _("Asked. A worker holds this instance and takes the act up within moments.")
    done = {
        "retry": _("Retry: the task is due now."),
        "skip": _("Skipped. The flow goes on."),
        "mark_success": _("Marked as successful. The flow goes on."),
        "rerun": _("It runs again from here."),
        "compensate": _("It is being undone."),
        "pause": _("Paused."),
        "resume": _("Resumed."),
        "cancel": _("Cancelled."),
        "close": _("Closed."),
    }
    return messages.SUCCESS, done.get(answer.act, _("Done."))
