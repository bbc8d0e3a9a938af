"""Nobody knows whether a call took effect: its check asks, again and again, until the target says so (section 7).

The task stands `unknown` meanwhile. The check is an errand with a row and attempts of its own (`deduct.check`); its
`retries` count how often it has been asked. What it finds out is the task's end, or its next try.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from disttask_project.kernel.json import JSON
from disttask_project.kernel.messages import text
from execution.domain.outcome import Failure, Result, Sort
from execution.domain.states import TaskStatus
from execution.engine import failing
from execution.engine.change import Change
from execution.engine.scopes import errand_scope, expression_failure, scope_of
from execution.engine.state import NOT_APPLIED, UNKNOWN_OUTCOME, UNREADABLE_ANSWER, ErrorInfo, TaskState
from flows.domain.compiled import CompiledTask, ExpressionError

_PLAIN: Final = ErrorInfo(type=UNKNOWN_OUTCOME, code="", message="")


def begin(change: Change, task: TaskState) -> None:
    """The task is `unknown`: the first question is due after the check's interval, not at once.

    A call that timed out may still be on its way, and a target asked too early says no.
    """
    spec = change.state.flow.tasks[task.task_id].check
    assert spec is not None, "only a task that has a check is checked"
    _schedule(change, change.fresh_errand(spec.id), task, spec)


def ask_now(change: Change, task: TaskState) -> None:
    """A person will not wait: the question is due at once. One that is under way already is left alone."""
    spec = change.state.flow.tasks[task.task_id].check
    assert spec is not None, "only a task that has a check is checked"
    check = change.state.tasks.get(spec.id)
    if check is None or check.status not in (TaskStatus.RETRYING, TaskStatus.RUNNING):
        check = change.fresh_errand(spec.id)
    if check.status is TaskStatus.RUNNING:
        return
    if check.status is TaskStatus.PENDING:
        change.set_task(check, TaskStatus.RETRYING, "check_later", next_at=change.now.isoformat())
    check.next_at = change.now
    change.task(spec.id)
    change.state.timers.pop(spec.id, None)
    change.state.errands[spec.id] = None


def drop(change: Change, task_id: str) -> None:
    """A person has found out: nobody needs to ask any more. A call under way ends by itself and changes nothing."""
    spec = change.state.flow.tasks[task_id].check
    check = change.state.tasks.get(spec.id) if spec is not None else None
    if check is not None and check.status is TaskStatus.RETRYING:
        change.set_task(check, TaskStatus.CANCELLED, "cancel")


def answered(change: Change, check: TaskState, result: Result, *, duration_ms: float) -> None:
    """The target answered: it took effect, it did not, or it does not know either."""
    spec = change.state.flow.specs[check.task_id]
    task = change.task(spec.of)
    try:
        verdict = _verdict(change, spec, check, result.value)
    except ExpressionError as error:
        failure = expression_failure(error, "check")
        told = ErrorInfo(type=failure.type, code=failure.code, message=failure.message)
        failing.close_attempt(change, check, "failed", response=result.value, error=told, duration_ms=duration_ms)
        ask_again(change, check, told)
        return
    failing.close_attempt(change, check, "success", response=result.value, duration_ms=duration_ms)
    check.result = result.value
    if verdict is None:
        ask_again(change, check, None)
        return
    check.error = None
    change.set_task(check, TaskStatus.SUCCESS, "check_answered", attempt=check.attempt, applied=verdict)
    if task.status is not TaskStatus.UNKNOWN:
        return
    if verdict:
        _took_effect(change, task, result.value)
    else:
        _had_no_effect(change, task)


def ask_again(change: Change, check: TaskState, error: ErrorInfo | None) -> None:
    """No answer, or one that settles nothing. `error` says what was wrong with it."""
    spec = change.state.flow.specs[check.task_id]
    task = change.task(spec.of)
    change.task(check.task_id)
    check.error = error
    check.retries += 1
    if task.status is not TaskStatus.UNKNOWN:
        change.set_task(check, TaskStatus.CANCELLED, "cancel")
        return
    _schedule(change, check, task, spec)


def _schedule(change: Change, check: TaskState, task: TaskState, spec: CompiledTask) -> None:
    known = task.error or _PLAIN
    doubt = Failure(sort=Sort.MAYBE_APPLIED, type=UNKNOWN_OUTCOME, code=known.code, message=known.message)
    task.first_failed_at = task.first_failed_at or change.now
    subject = replace(failing.subject_of(change, task), retries=check.retries)
    decision = change.port.on_failure(subject, doubt, spec.retry, now=change.now, jitter=0.0)
    if decision.retry_at is None:
        _give_up(change, check, task)
        return
    change.port_rows(decision.rows)
    check.next_at = decision.retry_at
    change.set_task(
        check,
        TaskStatus.RETRYING,
        "check_later",
        next_at=decision.retry_at.isoformat(),
        asked=check.retries,
        of=check.max_retry,
    )
    change.state.timers[check.task_id] = decision.retry_at


def _give_up(change: Change, check: TaskState, task: TaskState) -> None:
    """Asked often enough: a person must find out."""
    change.set_task(check, TaskStatus.FAILED, "check_undecided", asked=check.retries)
    message = text("Nobody knows whether it took effect; asked {count} times without an answer.", count=check.retries)
    task.error = replace(task.error or _PLAIN, code="OUTCOME_UNKNOWN", message=message)
    failing.give_up(change, task)


def _verdict(change: Change, spec: CompiledTask, check: TaskState, value: JSON) -> bool | None:
    scope = {**errand_scope(change.state, spec, check), "input": check.input, "result": value}
    if spec.success_when is not None and spec.success_when.evaluate(scope) is True:
        return True
    if spec.failed_when is not None and spec.failed_when.evaluate(scope) is True:
        return False
    return None


def _took_effect(change: Change, task: TaskState, value: JSON) -> None:
    """What the check was told stands for the answer that never came."""
    spec = change.state.flow.tasks[task.task_id]
    scope = {**scope_of(change.state, spec, task), "input": task.input, "result": value}
    try:
        output = None if spec.output is None else spec.output.render(scope)
    except ExpressionError as error:
        failure = expression_failure(error, "output")
        task.error = ErrorInfo(type=UNREADABLE_ANSWER, code=failure.code, message=failure.message)
        failing.give_up(change, task)
        return
    task.result, task.output = value, output
    task.error = task.first_failed_at = None
    change.set_task(task, TaskStatus.SUCCESS, "success", attempt=task.attempt, by="check")
    failing.close_exception(change, task, by="engine")


def _had_no_effect(change: Change, task: TaskState) -> None:
    """It is a failure like any other now: the task's own rule for retries decides."""
    known = task.error or _PLAIN
    failure = Failure(
        sort=Sort.NEVER_SENT,
        type=NOT_APPLIED,
        code=known.code,
        message=text("The check found that it had no effect. Before that: {reason}", reason=known.message),
    )
    error = ErrorInfo(type=NOT_APPLIED, code=failure.code, message=failure.message)
    failing.apply_decision(change, task, failure, error, change.state.flow.tasks[task.task_id].retry)
