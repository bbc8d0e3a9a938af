"""An attempt has failed: its row ends, and what follows depends on what it was for."""

from __future__ import annotations

from dataclasses import replace

from execution.domain.outcome import Failure, Sort
from execution.domain.states import TaskStatus
from execution.engine import checking, failing
from execution.engine.change import Change, task_scope
from execution.engine.state import UNKNOWN_OUTCOME, AttemptRow, ErrorInfo, TaskState
from flows.domain.compiled import Kind, OnUnknown


def record_failure(
    change: Change,
    task: TaskState,
    failure: Failure,
    *,
    row: AttemptRow | None,
    duration_ms: float | None = None,
) -> None:
    """End the open attempt as failed or unknown and do what the failure port decides.

    `row` is the attempt as an older fence left it; None: it is this owner's.
    """
    unknown = failure.sort is Sort.MAYBE_APPLIED
    if unknown:
        failure = replace(failure, type=UNKNOWN_OUTCOME)
    error = ErrorInfo(type=failure.type, code=failure.code, message=failure.message, stack=failure.stack)
    failing.close_attempt(
        change,
        task,
        "unknown" if unknown else "failed",
        row=row,
        response=failure.response,
        error=error,
        duration_ms=duration_ms,
    )
    spec = change.state.flow.specs[task.task_id]
    if spec.kind is Kind.CHECK:
        checking.ask_again(change, task, error)
        return
    if unknown:
        change.set_task(task, TaskStatus.UNKNOWN, "unknown", failure.message, code=failure.code, attempt=task.attempt)
    if task.error is not None and task.error.type == UNKNOWN_OUTCOME:
        # A refusal now does not tell that an earlier attempt of this run had no effect.
        error = replace(error, type=UNKNOWN_OUTCOME)
    if unknown and spec.on_unknown is OnUnknown.CHECK:
        task.error = error
        change.state.scope[task.task_id] = task_scope(task)
        checking.begin(change, task)
    elif unknown and spec.on_unknown is OnUnknown.HOLD:
        task.error = error
        failing.give_up(change, task)
    else:
        failing.apply_decision(change, task, failure, error, spec.retry)
