"""What people do about exceptions: retry through the engine's own act, or mark as handled."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from django.db import transaction

from disttask_project.audit.services import record
from disttask_project.kernel.actor import Actor
from disttask_project.kernel.clock import Clock, SystemClock
from disttask_project.kernel.errors import Conflict, InvalidInput, Problem
from disttask_project.kernel.json import fault_in
from disttask_project.kernel.messages import text
from execution.services import acts
from execution.services.performing import ActAnswer
from execution.services.refusals import ago
from retries import repository
from retries.models import ExceptionRecord
from retries.selectors.records import get_exception

VIEW: Final = "retries.view_exceptionrecord"
HANDLE: Final = "retries.handle_exception"


def retry_exception(
    *,
    exception_id: str,
    actor: Actor,
    reason: str = "",
    input: Mapping[str, Any] | None = None,  # noqa: A002  the field's own name
    config: Mapping[str, Any] | None = None,
    outcome: str | None = None,
) -> ActAnswer:
    """Retry the task (or the instance) that the record is about; raises as `acts.retry` does."""
    actor.require(VIEW)
    found = get_exception(exception_id)
    return acts.retry(
        instance_id=found.instance_id,
        task_id=found.task_id,
        reason=reason,
        actor=actor,
        input=input,
        config=config,
        outcome=outcome,
    )


def handle_exception(*, exception_id: str, remark: str, actor: Actor, clock: Clock | None = None) -> ExceptionRecord:
    """Mark as handled outside the engine: nothing resumes. Raises `Conflict` when it is marked already."""
    actor.require(HANDLE)
    remark = remark.strip()
    _check_remark(remark)
    now = (clock or SystemClock()).now()
    with transaction.atomic():
        found = get_exception(exception_id)
        if not repository.mark_handled(exception_id, by=actor.name, remark=remark, now=now):
            raise _handled_already(get_exception(exception_id), clock or SystemClock())
        record(
            actor=actor,
            act="exception.handle",
            object_type="exception",
            object_id=exception_id,
            reason=remark,
            before={"state": found.state, "handled": False},
            after={"state": ExceptionRecord.State.RESOLVED.value, "handled": True},
        )
    return get_exception(exception_id)


def _check_remark(remark: str) -> None:
    if not remark:
        message = text("Say what was done: a remark is required.")
        raise InvalidInput(message, problems=[Problem(loc=("remark",), code="required", message=message)])
    if fault := fault_in(remark):
        message = text("{name} cannot be stored: {fault}.", name="remark", fault=fault)
        raise InvalidInput(message, problems=[Problem(loc=("remark",), code="bad_value", message=message)])


def _handled_already(found: ExceptionRecord, clock: Clock) -> Conflict:
    since = ago(found.handled_at or found.updated_at, now=clock.now())
    return Conflict(
        text("already handled by {actor} {ago} ago", actor=found.handled_by, ago=since), symbol="ALREADY_HANDLED"
    )
