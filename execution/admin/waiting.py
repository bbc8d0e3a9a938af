"""Why a run is not moving, in one sentence (console rule 3)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from execution.selectors.run_page import Run


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """`until` is set where a time is known; `needs_act` where nothing happens without a person."""

    text: str
    until: datetime | None = None
    needs_act: bool = False


def waiting_reason(run: Run) -> Waiting | None:
    """The reason, or None for a run that has ended."""
    instance = run.instance
    if instance.closed or instance.status in ("success", "cancelled", "compensated"):
        return None
    if run.asked:
        asked = run.asked[0]
        return Waiting(
            text=_("%(who)s asked for: %(act)s. A worker takes it up.") % {"who": asked.actor, "act": asked.act}
        )
    if instance.status == "paused":
        return Waiting(text=_("Paused. Nothing starts until somebody resumes it."), needs_act=True)
    if instance.status == "failed":
        count = sum(task.status in ("failed", "unknown") for task in run.tasks)
        text = ngettext("%(n)d task waits for a person.", "%(n)d tasks wait for a person.", count) % {"n": count}
        return Waiting(text=text, needs_act=True)
    return _of_running(run)


def _of_running(run: Run) -> Waiting:
    if not run.workers_alive:
        return Waiting(
            text=_("No worker is alive. Start one: manage.py runcluster, or manage.py runengine."), needs_act=True
        )
    flying = [task for task in run.tasks if task.status == "running"]
    if flying:
        names = ", ".join(task.task_id for task in flying[:3])
        since = min((task.attempts[-1].started_at for task in flying if task.attempts), default=None)
        return Waiting(text=_("Waiting for the answer to %(tasks)s, sent") % {"tasks": names}, until=since)
    delayed = [task for task in run.tasks if task.status == "retrying" and task.row and task.row.next_at]
    if delayed:
        first = min(delayed, key=lambda task: task.row.next_at)  # type: ignore[union-attr, arg-type, return-value]
        text = _("%(task)s failed and backs off; its next attempt is due") % {"task": first.task_id}
        return Waiting(text=text, until=first.row.next_at if first.row else None)
    if any(task.status == "unknown" for task in run.tasks):
        return Waiting(text=_("The outcome of a call is not known; the flow's rule for that decides what comes next."))
    return Waiting(text=_("Due: the next free worker takes it up."))
