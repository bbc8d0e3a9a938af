"""From joins to ready tasks: conditions are looked at once a join holds, skips cascade, dead joins fail."""

from __future__ import annotations

from typing import Any, Final

from disttask_project.kernel.messages import text
from execution.domain.outcome import Failure, Sort
from execution.domain.planner import Decision
from execution.domain.states import SkipReason, TaskStatus
from execution.engine import failing, undoing
from execution.engine.change import Change
from execution.engine.scopes import expression_failure, scope_of
from execution.engine.state import TaskState
from flows.domain.compiled import ExpressionError

JOIN_ERROR: Final = "JoinError"


def settle_joins(change: Change) -> None:
    """Look at every task whose join may have changed until nothing moves. Iterative: chains may be 10,000 long."""
    state = change.state
    position = 0
    while position < len(change.recheck):
        if not state.may_start:
            break  # nothing new starts; a later claim or resume looks at all of them again
        _consider(change, change.recheck[position])
        position += 1
    change.recheck.clear()


def recheck_all(change: Change) -> None:
    """Look at every join again: after a claim, a pause or a stop nothing has been considered for a while."""
    change.recheck.extend(change.state.flow.tasks)
    undoing.offer(change)
    wake_due(change)


def wake_due(change: Change) -> None:
    """Retries whose time has come become ready."""
    state = change.state
    for task_id in [task_id for task_id, at in state.timers.items() if at <= change.now]:
        del state.timers[task_id]
        (state.plan.ready if task_id in state.flow.tasks else state.errands)[task_id] = None


def _consider(change: Change, task_id: str) -> None:
    state = change.state
    task = state.tasks.get(task_id)
    if task is not None and _was_unreachable(task) and state.plan.decision(task_id) is not Decision.UNREACHABLE:
        task.error = task.first_failed_at = task.completed_at = None
        change.set_task(task, TaskStatus.PENDING, "reset", "its join can be reached again")
        failing.close_exception(change, task, by="engine")
    if task is not None and task.status is not TaskStatus.PENDING:
        return
    decision = state.plan.decision(task_id)
    if task_id in state.plan.ready:
        if decision is Decision.RUN:
            return
        del state.plan.ready[task_id]  # a person retries what it depends on
    match decision:
        case Decision.RUN:
            _run_or_skip(change, task_id)
        case Decision.SKIP_BRANCH:
            skip(change, task_id, SkipReason.BRANCH)
        case Decision.UNREACHABLE:
            failure = Failure(
                sort=Sort.REFUSED,
                type=JOIN_ERROR,
                code="JOIN_UNREACHABLE",
                message=text("Too few of the tasks it waits for can still succeed."),
            )
            failing.fail_before_start(change, change.task(task_id), failure)
        case Decision.WAIT:
            pass


def _run_or_skip(change: Change, task_id: str) -> None:
    spec = change.state.flow.tasks[task_id]
    if spec.when is None:
        change.state.plan.ready[task_id] = None
        return
    try:
        holds = spec.when.evaluate(scope_of(change.state, spec))
    except ExpressionError as error:
        failing.fail_before_start(change, change.task(task_id), expression_failure(error, "when"))
        return
    if holds is True:
        change.state.plan.ready[task_id] = None
    else:
        skip(change, task_id, SkipReason.CONDITION)


def skip(change: Change, task_id: str, reason: SkipReason, message: str = "", **details: Any) -> None:
    """End a task without running it. Its output is `{}`."""
    task = change.task(task_id)
    task.skip_reason = reason
    change.set_task(task, TaskStatus.SKIPPED, "skip", message, reason=reason, **details)


def _was_unreachable(task: TaskState) -> bool:
    # A target may call its own refusal by the same code; only one that never began failed at its join.
    never_began = task.status is TaskStatus.FAILED and task.attempt == 0
    return never_began and task.error is not None and task.error.type == JOIN_ERROR
