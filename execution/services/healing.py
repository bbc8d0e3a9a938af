"""How each drift is mended: one unit of the instance, under its lock and fence, told in its log."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from disttask_project.kernel.messages import text
from execution.domain.outcome import Failure, Sort
from execution.domain.states import InstanceStatus, TaskStatus
from execution.engine import core, failing
from execution.engine.change import Change
from execution.engine.state import ErrorInfo, TaskState, Unit
from execution.models import Attempt, ExecutionLog, InstanceTag
from execution.repository.drift import OPEN, Drift
from execution.services.tags import render_tags
from execution.stores.base import Hold

LOST: Final = "RECONCILED"


def heal(hold: Hold, drifts: Sequence[Drift], *, change: Change) -> Unit | None:
    """What is to be written. Who is open is due at once: its next owner derives everything anew."""
    for drift in sorted(drifts, key=lambda each: _ORDER.index(each.kind)):
        MENDS[drift.kind](hold, change, drift)
    state = change.state
    told: list[dict[str, Any]] = [
        {"kind": drift.kind, "task_id": drift.task_id, "found": drift.found} for drift in drifts
    ]
    change.log("reconcile", "", text("Rows that disagreed were brought together."), {"healed": told})
    wake_at = change.now if str(state.status) in OPEN else core.next_wake(state, change.now)
    return change.effects(release=True, wake_at=wake_at).unit


def _nothing(_hold: Hold, _change: Change, _drift: Drift) -> None:
    """Giving the row back is the mend: its `wake_at` is told anew."""


def _log_number(_hold: Hold, change: Change, _drift: Drift) -> None:
    last = ExecutionLog.objects.filter(instance_id=change.state.id).order_by("-seq").values_list("seq", flat=True)
    change.state.seq = last.first() or 0


def _attention(_hold: Hold, change: Change, _drift: Drift) -> None:
    change.state.needs_attention = change.state.status is InstanceStatus.FAILED and not change.state.closed
    change.touched = True


def _task_and_log(_hold: Hold, change: Change, drift: Drift) -> None:
    """The log is append-only and was written with the row: it is believed."""
    told = ExecutionLog.objects.filter(instance_id=change.state.id, task_id=drift.task_id).order_by("-seq")
    status = next((row["to"] for row in told.values_list("details", flat=True) if row and "to" in row), None)
    task = change.state.tasks.get(drift.task_id)
    if status is None or task is None:
        return
    task.status = TaskStatus(status)
    if task.status is not TaskStatus.RETRYING:
        task.next_at = None
    elif task.next_at is None:
        task.next_at = change.now
    if task.status is TaskStatus.SUCCESS and task.result is None:
        done = Attempt.objects.filter(instance_id=change.state.id, task_id=drift.task_id, status="success")
        task.result = done.order_by("-number").values_list("response", flat=True).first()
    change.task(drift.task_id)


def _open_attempt(hold: Hold, change: Change, drift: Drift) -> None:
    task = change.state.tasks.get(drift.task_id)
    for row in hold.open_attempts:
        if row.task_id == drift.task_id:
            change.attempt(replace(row, status="unknown", error=_lost(), ended_at=change.now))
    if task is not None and task.status is TaskStatus.RUNNING and change.state.status.value not in OPEN:
        _under_way(hold, change, drift)


def _under_way(_hold: Hold, change: Change, drift: Drift) -> None:
    """Of an instance at rest: given up where nobody may go on with it, else it waits for a person."""
    task = change.state.tasks.get(drift.task_id)
    if task is None or task.status.has_ended:
        return
    if change.state.closed or change.state.status.is_terminal:
        change.set_task(task, TaskStatus.CANCELLED, "cancel", by="reconciler")
        failing.close_exception(change, task, by="reconciler")
        return
    task.error = task.error or _lost()
    failing.give_up(change, task)


def _lost() -> ErrorInfo:
    message = text("Whether the call took effect is unknown: its record was left open.")
    return ErrorInfo(type="UnknownOutcome", code=LOST, message=message)


def _exception_left(_hold: Hold, change: Change, drift: Drift) -> None:
    task = change.state.tasks.get(drift.task_id) or TaskState(task_id=drift.task_id)
    failing.close_exception(change, task, by="reconciler")
    change.touched = True


def _exception_missing(_hold: Hold, change: Change, drift: Drift) -> None:
    task = change.state.tasks[drift.task_id]
    error = task.error or ErrorInfo(type="EngineError", code=LOST, message=text("Its failure was not on record."))
    failure = Failure(sort=Sort.REFUSED, type=error.type, code=error.code, message=error.message, stack=error.stack)
    subject = failing.subject_of(change, task)
    change.port_rows(change.port.on_failure(subject, failure, failing.NO_RETRY, now=change.now, jitter=0.0).rows)
    change.touched = True


def _tag_missing(_hold: Hold, change: Change, drift: Drift) -> None:
    """What the flow derives from the parameters can be derived again; a tag that the caller gave cannot."""
    state = change.state
    tags = render_tags(state.flow, params=state.params, asked={}, instance_id=state.id, version=state.version_number)
    if drift.found in tags:
        InstanceTag.objects.create(
            id=f"{state.id}:{drift.found}", instance_id=state.id, key=drift.found, value=tags[drift.found]
        )


Mend = Callable[[Hold, Change, Drift], None]

# In this order: a log row needs its number, and a task must stand as it is told before anything is made of it.
MENDS: Final[Mapping[str, Mend]] = {
    "log_number": _log_number,
    "task_and_log": _task_and_log,
    "open_attempt": _open_attempt,
    "task_under_way": _under_way,
    "attention": _attention,
    "exception_left": _exception_left,
    "exception_missing": _exception_missing,
    "tag_missing": _tag_missing,
    "never_woken": _nothing,
    "woken_too_late": _nothing,
}
_ORDER: Final = tuple(MENDS)
