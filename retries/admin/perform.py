"""From the pages to the services: what a person asks about one exception."""

from __future__ import annotations

from disttask_project.kernel.actor import Actor
from retries import services
from retries.models import ExceptionRecord


def retry(row: ExceptionRecord, *, reason: str, actor: Actor) -> str:
    """Try the failed task again now; "done" or "asked"."""
    return services.retry_exception(exception_id=row.pk, reason=reason, actor=actor).state


def handle(row: ExceptionRecord, *, reason: str, actor: Actor) -> str:
    """Mark it as dealt with by people; the task is left as it is."""
    services.handle_exception(exception_id=row.pk, remark=reason, actor=actor)
    return "done"
