"""A person runs a task and everything after it once more ("retry from here"): each as a new run with a new key."""

from __future__ import annotations

from typing import Final

from disttask_project.kernel.messages import text
from execution.domain.states import SkipReason, TaskStatus
from execution.domain.undoing import later_than
from execution.engine import checking, failing, mending, undoing
from execution.engine.change import Change
from execution.engine.mending import Refused
from execution.engine.state import Act, TaskState

_BEGUN: Final = (
    TaskStatus.SUCCESS,
    TaskStatus.SKIPPED,
    TaskStatus.FAILED,
    TaskStatus.COMPENSATED,
    TaskStatus.CANCELLED,
    TaskStatus.RETRYING,
)
_STATED: Final = (SkipReason.OPERATOR, SkipReason.MARKED)  # what a person said of a task is not run over


def rerun(change: Change, act: Act) -> bool:
    state = change.state
    if state.is_being_undone:
        raise Refused("COMPENSATING", text("It is being undone; wait until that has ended."))
    first = mending.existing(change, act.task_id)
    if first.status not in _BEGUN:
        raise Refused(
            "NOT_RERUNNABLE",
            text("The task {task} is {status}; there is nothing to run again.", task=act.task_id, status=first.status),
        )
    tasks = [first, *_later(change, act.task_id)]
    for task in tasks:
        _check(task)
    mending.reopen(change, act)
    if changed := mending.changed_keys(act):
        first.override = mending.override_of(first, act)
    for task in reversed(tasks):
        _reset(change, task, act)
    change.log("rerun", act.task_id, act.reason, {"by": act.actor, "tasks": len(tasks), **changed})
    mending.go_on(change)
    return False


def _later(change: Change, task_id: str) -> list[TaskState]:
    """What has begun after it; a skip or a mark by a person is honoured."""
    found = [change.state.tasks.get(later) for later in later_than(change.state.flow, task_id)]
    return [
        task
        for task in found
        if task is not None and task.status is not TaskStatus.PENDING and task.skip_reason not in _STATED
    ]


def _check(task: TaskState) -> None:
    if task.status is TaskStatus.UNKNOWN or undoing.has_unknown_outcome(task):
        raise Refused(
            "OUTCOME_UNKNOWN",
            text(
                "Nobody knows whether {task} took effect: find out before it is run under a new key.", task=task.task_id
            ),
        )
    if task.status not in _BEGUN:
        raise Refused(
            "TASK_RUNNING",
            text("The task {task} is {status}; wait until it has ended.", task=task.task_id, status=task.status),
        )


def _reset(change: Change, task: TaskState, act: Act) -> None:
    change.task(task.task_id)
    if task.error is not None:
        failing.close_exception(change, task, by=act.actor)
    checking.drop(change, task.task_id)
    if task.attempt:
        task.run += 1
    task.skip_reason = ""
    task.input = task.config = task.output = task.result = task.error = None
    task.retries = 0
    task.first_failed_at = task.started_at = task.completed_at = task.next_at = None
    change.set_task(task, TaskStatus.PENDING, "reset", by=act.actor, run=task.run)
