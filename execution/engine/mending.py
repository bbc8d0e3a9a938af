"""How a person mends a task: try again (perhaps with a changed input), skip, or say that it succeeded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from disttask_project.kernel.json import JSON
from disttask_project.kernel.messages import text
from execution.domain.planner import Mark
from execution.domain.states import InstanceStatus, SkipReason, TaskStatus
from execution.engine import closing, failing, readiness
from execution.engine.change import Change, task_scope
from execution.engine.state import NOT_APPLIED, UNKNOWN_OUTCOME, Act, TaskState

CHANGEABLE: Final = ("input", "config")
_STOPPABLE: Final = (TaskStatus.PENDING, TaskStatus.RETRYING, TaskStatus.FAILED, TaskStatus.UNKNOWN)


class Refused(Exception):
    """The act does not fit the state; `code` is stable, the message says what stands in the way."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def retry(change: Change, act: Act) -> bool:
    state = change.state
    if act.task_id:
        tasks = [_existing(change, act.task_id)]
    else:
        tasks = [
            task
            for task in state.tasks.values()
            if (task.status is TaskStatus.RETRYING and not _is_due(change, task))
            or state.plan.marks[task.task_id] is Mark.FAILED
        ]
        if not tasks and state.status is not InstanceStatus.FAILED:
            raise Refused("NOTHING_TO_RETRY", text("No task of this instance has failed or waits for a retry."))
    for task in tasks:
        _check_retry(change, task, act)
    _reopen(change, act)
    for task in tasks:
        _retry_task(change, task, act)
    _go_on(change)
    return False


def _is_due(change: Change, task: TaskState) -> bool:
    """It is tried at the next moment anyway: its time has come, or a person has retried it already."""
    return task.status is TaskStatus.RETRYING and (
        task.retries == 0 or task.next_at is None or task.next_at <= change.now
    )


def _check_retry(change: Change, task: TaskState, act: Act) -> None:
    if task.status not in (TaskStatus.FAILED, TaskStatus.RETRYING):
        raise Refused(
            "NOT_RETRYABLE",
            text(
                "The task {task} is {status}; only a failed or waiting task can be retried.",
                task=task.task_id,
                status=task.status,
            ),
        )
    changes = act.payload.get("input") or act.payload.get("config")
    if _is_due(change, task) and _override(task, act) == task.override:
        raise Refused(
            "ALREADY_RETRYING", text("The task {task} is about to be tried again already.", task=task.task_id)
        )
    unknown = task.error is not None and task.error.type == UNKNOWN_OUTCOME
    if changes and unknown and not _says_not_applied(act):
        raise Refused(
            "OUTCOME_UNKNOWN",
            text(
                "Nobody knows whether an attempt took effect, and a changed input would go out under a new key. "
                'Find out first; then retry with "outcome": "not_applied", or mark the task as successful.'
            ),
        )


def _says_not_applied(act: Act) -> bool:
    return act.payload.get("outcome") == "not_applied"


def _retry_task(change: Change, task: TaskState, act: Act) -> None:
    state = change.state
    failed_run = failing.subject_of(change, task)
    override = _override(task, act)
    changed = _changed(act)
    if changed:
        task.override = override
        task.run += 1
        task.input = task.config = None
    if task.error is not None and task.error.type == UNKNOWN_OUTCOME and _says_not_applied(act):
        task.error = replace(task.error, type=NOT_APPLIED)
    task.retries = 0
    task.first_failed_at = None
    task.completed_at = None
    change.log("retry_now", task.task_id, act.reason, {"by": act.actor, "run": task.run, **changed})
    if task.attempt == 0:
        # It failed before any attempt: its condition and its join are looked at anew.
        task.error = None
        change.set_task(task, TaskStatus.PENDING, "reset", by=act.actor)
        change.recheck.append(task.task_id)
        failing.close_exception(change, task, by=act.actor)
        return
    change.port_rows(change.port.on_retry(failed_run, now=change.now, by=act.actor))
    if task.status is TaskStatus.FAILED:
        change.set_task(task, TaskStatus.RETRYING, "retry", by=act.actor)
    task.next_at = change.now
    change.unit.tasks[task.task_id] = task
    state.scope[task.task_id] = task_scope(task)
    state.timers.pop(task.task_id, None)
    state.plan.ready[task.task_id] = None


def _override(task: TaskState, act: Act) -> JSON:
    """What persons have changed so far, this act included: a second change keeps what the first one put right."""
    before: Mapping[str, Any] = task.override or {}
    asked = {key: {**(before.get(key) or {}), **act.payload[key]} for key in CHANGEABLE if act.payload.get(key)}
    return {**before, **asked} or None


def _changed(act: Act) -> dict[str, Any]:
    changed = sorted(key for key in CHANGEABLE if act.payload.get(key))
    return {"changed": changed} if changed else {}


def skip(change: Change, act: Act) -> bool:
    task = _stoppable(change, act.task_id, "skipped")
    _reopen(change, act)
    task.skip_reason = SkipReason.OPERATOR
    task.error = None
    change.set_task(task, TaskStatus.SKIPPED, "skip", act.reason, reason=SkipReason.OPERATOR, by=act.actor)
    failing.close_exception(change, task, by=act.actor)
    _go_on(change)
    return False


def mark_success(change: Change, act: Act) -> bool:
    task = _stoppable(change, act.task_id, "marked as successful")
    output = act.payload.get("output")
    _reopen(change, act)
    task.result = output if output is not None else {}
    task.output = None
    task.error = None
    change.set_task(task, TaskStatus.SUCCESS, "mark_success", act.reason, by=act.actor)
    failing.close_exception(change, task, by=act.actor)
    _go_on(change)
    return False


def _reopen(change: Change, act: Act) -> None:
    """Let an instance that was held go on; a deadline that has passed does not stop it a second time."""
    state = change.state
    if state.deadline_at is not None and state.deadline_at <= change.now:
        state.deadline_at = None
    if state.status is not InstanceStatus.FAILED:
        return
    close_instance_exception(change, by=act.actor)
    state.needs_attention = False
    state.error = None
    state.strikes = 0
    state.completed_at = None
    change.set_instance(InstanceStatus.RUNNING, "reopen", by=act.actor, act=act.act)


def _go_on(change: Change) -> None:
    """After a person has dealt with a task: what remains failed for good says whether the rest may go on."""
    change.state.stop = closing.stop_of(change.state)
    readiness.recheck_all(change)


def close_instance_exception(change: Change, *, by: str) -> None:
    """Close the exception that belongs to the instance itself (poison, timeout, output), if it has one."""
    error = change.state.error
    if error is not None and not error.get("task_id"):
        failing.close_exception(change, TaskState(task_id=""), by=by)


def _existing(change: Change, task_id: str) -> TaskState:
    if task_id not in change.state.flow.tasks:
        raise Refused("UNKNOWN_TASK", text("This flow has no task {task}.", task=task_id))
    return change.state.tasks.get(task_id) or TaskState(task_id=task_id)


def _stoppable(change: Change, task_id: str, what: str) -> TaskState:
    task = _existing(change, task_id)
    if task.status not in _STOPPABLE:
        raise Refused(
            "WRONG_STATE",
            text(
                "The task {task} is {status}; it cannot be {what}.",
                task=task_id,
                status=task.status,
                what=what,
            ),
        )
    return change.task(task_id)
