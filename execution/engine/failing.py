"""What a failure leads to: the failure port decides, and the task waits or has failed for good."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from disttask_project.kernel.json import JSON
from disttask_project.kernel.messages import text
from execution.domain.outcome import Failure, Sort
from execution.domain.states import TaskStatus
from execution.engine.change import Change, failed_task
from execution.engine.port import FailedTask, FailureDecision
from execution.engine.state import AttemptRow, ErrorInfo, TaskState
from flows.domain.compiled import Kind, OnFailure, RetryPolicy, Strategy

NO_RETRY = RetryPolicy(strategy=Strategy.NO_RETRY, max_attempts=0)


def fail_before_start(change: Change, task: TaskState, failure: Failure) -> None:
    """A task that fails before any attempt: its condition cannot be evaluated, its join cannot be reached."""
    error = ErrorInfo(type=failure.type, code=failure.code, message=failure.message, stack=failure.stack)
    apply_decision(change, task, failure, error, NO_RETRY)


def give_up(change: Change, task: TaskState) -> None:
    """End the automatic retries of a task: the person who looks decides what comes next.

    So its failure is not final and stops nothing, whatever `on_failure` says.
    """
    error = task.error or ErrorInfo(type="Stopped", code="STOPPED", message=text("It was stopped."))
    open_exception(change, task, error)
    task.error = replace(error, final=False)
    change.set_task(task, TaskStatus.FAILED, "failed", error.message, code=error.code, attempt=task.attempt)


def open_exception(change: Change, task: TaskState, error: ErrorInfo) -> None:
    """Nothing is retried by rule any more: its record waits for a person."""
    failure = Failure(sort=Sort.REFUSED, type=error.type, code=error.code, message=error.message, stack=error.stack)
    change.port_rows(decide(change, task, failure, NO_RETRY).rows)


def close_exception(change: Change, task: TaskState, *, by: str) -> None:
    """What the failure port writes when a task no longer needs anybody."""
    spec = change.state.flow.specs.get(task.task_id)
    change.port_rows(change.port.on_success(failed_task(change.state, spec, task, change.now), now=change.now, by=by))


def subject_of(change: Change, task: TaskState) -> FailedTask:
    """The task as the failure port sees it."""
    return failed_task(change.state, change.state.flow.specs.get(task.task_id), task, change.now)


def decide(change: Change, task: TaskState, failure: Failure, policy: RetryPolicy) -> FailureDecision:
    task.first_failed_at = task.first_failed_at or change.now
    return change.port.on_failure(subject_of(change, task), failure, policy, now=change.now, jitter=change.rng.random())


def apply_decision(change: Change, task: TaskState, failure: Failure, error: ErrorInfo, policy: RetryPolicy) -> None:
    state = change.state
    spec = state.flow.specs[task.task_id]
    decision = decide(change, task, failure, policy)
    change.port_rows(decision.rows)
    task.error = replace(error, final=decision.retry_at is None)
    if decision.retry_at is not None:
        _retry_later(change, task, decision.retry_at, code=failure.code)
        return
    change.set_task(task, TaskStatus.FAILED, "failed", failure.message, code=failure.code, attempt=task.attempt)
    if spec.kind is Kind.FORWARD and not spec.optional and spec.on_failure is not OnFailure.HOLD and state.stop is None:
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
    if row is not None:
        ended = replace(row, is_start=False, status=status)
    else:
        ended = AttemptRow(
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
    ended.response = response
    ended.error = error
    ended.ended_at = change.now
    ended.duration_ms = duration_ms
    change.attempt(ended)
