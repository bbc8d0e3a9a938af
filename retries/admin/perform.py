"""From the pages to the services."""

from __future__ import annotations

from disttask_project.kernel.actor import Actor
from disttask_project.kernel.errors import Unavailable
from retries.models import ExceptionRecord


def retry(row: ExceptionRecord, *, reason: str, actor: Actor) -> str:
    """Try the failed task again now; "done" or "asked"."""
    from execution.services import acts

    return acts.retry(instance_id=row.instance_id, task_id=row.task_id, reason=reason, actor=actor).state


def handle(row: ExceptionRecord, *, reason: str, actor: Actor) -> str:
    raise Unavailable("not there yet")
