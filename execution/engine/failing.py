"""What a failure leads to: the attempt ends, the failure port decides, the task waits or has failed for good."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from disttask_project.kernel.json import JSON
from disttask_project.kernel.messages import text
from execution.domain.outcome import Failure, Sort
from execution.domain.states import TaskStatus
from execution.engine.change import Change, failed_task
from execution.engine.port import FailedTask, FailureDecision
from execution.engine.state import UNKNOWN_OUTCOME, AttemptRow, ErrorInfo, TaskState
from flows.domain.compiled import OnFailure, RetryPolicy, Strategy

NO_RETRY = RetryPolicy(strategy=Strategy.NO_RETRY, max_attempts=0)


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
    close_attempt(
        change,
        task,
        "unknown" if unknown else "failed",
        row=row,
        response=failure.response,
        error=error,
        duration_ms=duration_ms,
    )
    if unknown:
        change.set_task(task, TaskStatus.UNKNOWN, "unknown", failure.message, code=failure.code, attempt=task.attempt)
    if task.error is not None and task.error.type == UNKNOWN_OUTCOME:
        # A refusal now does not tell that an earlier attempt of this run had no effect.
        error = replace(error, type=UNKNOWN_OUTCOME)
    policy = change.state.flow.tasks[task.task_id].retry
    _apply_decision(change, task, failure, error, policy)


def fail_before_start(change: Change, task: TaskState, failure: Failure) -> None:
    """A task that fails before any attempt: its condition cannot be evaluated, its join cannot be reached."""
    error = ErrorInfo(type=failure.type, code=failure.code, message=failure.message, stack=failure.stack)
    _apply_decision(change, task, failure, error, NO_RETRY)


def give_up(change: Change, task: TaskState) -> None:
    """End the automatic retries of a task: the person who looks decides what comes next.

    So its failure is not final and stops nothing, whatever `on_failure` says.
    """
    error = task.error or ErrorInfo(type="Stopped", code="STOPPED", message=text("It was stopped."))
    failure = Failure(sort=Sort.REFUSED, type=error.type, code=error.code, message=error.message, stack=error.stack)
    decision = _decide(change, task, failure, NO_RETRY)
    change.port_rows(decision.rows)
    task.error = replace(error, final=False)
    change.set_task(task, TaskStatus.FAILED, "failed", failure.message, code=failure.code, attempt=task.attempt)


def close_exception(change: Change, task: TaskState, *, by: str) -> None:
    """What the failure port writes when a task no longer needs anybody."""
    spec = change.state.flow.tasks.get(task.task_id)
    change.port_rows(change.port.on_success(failed_task(change.state, spec, task, change.now), now=change.now, by=by))


def subject_of(change: Change, task: TaskState) -> FailedTask:
    """The task as the failure port sees it."""
    return failed_task(change.state, change.state.flow.tasks.get(task.task_id), task, change.now)


def _decide(change: Change, task: TaskState, failure: Failure, policy: RetryPolicy) -> FailureDecision:
    task.first_failed_at = task.first_failed_at or change.now
    return change.port.on_failure(subject_of(change, task), failure, policy, now=change.now, jitter=change.rng.random())


def _apply_decision(change: Change, task: TaskState, failure: Failure, error: ErrorInfo, policy: RetryPolicy) -> None:
    state = change.state
    spec = state.flow.tasks[task.task_id]
    decision = _decide(change, task, failure, policy)
    change.port_rows(decision.rows)
    task.error = replace(error, final=decision.retry_at is None)
    if decision.retry_at is not None:
        _retry_later(change, task, decision.retry_at, code=failure.code)
        return
    change.set_task(task, TaskStatus.FAILED, "failed", failure.message, code=failure.code, attempt=task.attempt)
    if not spec.optional and spec.on_failure is not OnFailure.HOLD and state.stop is None:
        state.stop = {**failure.as_error(final=True), "task_id": task.task_id}


def _retry_later(change: Change, task: TaskState, at: datetime, *, code: str) -> None:
    task.retries += 1
    task.next_at = at
    change.set_task(
        task,
        TaskStatus.RETRYING,
        "retry",
        code=code,
        next_at=at.isoformat(),
        retry=task.retries,
        of=task.max_retry,
    )
    change.state.timers[task.task_id] = at


def close_attempt(
    change: Change,
    task: TaskState,
    status: str,
    *,
    row: AttemptRow | None = None,
    response: JSON = None,
    error: ErrorInfo | None = None,
    duration_ms: float | None = None,
) -> None:
    if task.open_attempt is not None:
        task.open_attempt = None
        change.state.in_flight -= 1
    ended = row or AttemptRow(
        instance_id=change.state.id,
        task_id=task.task_id,
        number=task.attempt,
        run=task.run,
        status=status,
        fence=change.state.fence,
        worker=change.worker,
        key="",
        is_start=False,
        started_at=task.started_at or change.now,
    )
    change.attempt(
        replace(
            ended,
            is_start=False,
            status=status,
            response=response,
            error=error,
            ended_at=change.now,
            duration_ms=duration_ms,
        )
    )
