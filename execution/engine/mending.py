"""How a person mends a task: try again (perhaps with a changed input), skip, or say that it succeeded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from disttask_project.kernel.json import JSON
from disttask_project.kernel.messages import text
from execution.domain.planner import Mark
from execution.domain.states import InstanceStatus, SkipReason, TaskStatus
from execution.engine import checking, closing, failing, readiness, undoing
from execution.engine.change import Change, task_scope
from execution.engine.state import NOT_APPLIED, UNKNOWN_OUTCOME, Act, TaskState
from execution.engine.undoing import has_unknown_outcome
from flows.domain.compiled import Kind

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
        named = existing(change, act.task_id, errands=True)
        if _is_asked(change, named, act):
            _ask(change, named, act)
            return False
        tasks = [named]
    else:
        tasks = _all_to_retry(change)
        if not tasks and not state.needs_attention:
            raise Refused("NOTHING_TO_RETRY", text("No task of this instance has failed or waits for a retry."))
    for task in tasks:
        _check_retry(change, task, act)
    reopen(change, act)
    for task in tasks:
        _retry_task(change, task, act)
    go_on(change)
    return False


def _all_to_retry(change: Change) -> list[TaskState]:
    """What has failed or waits: the undos while it is being undone, else the tasks. Checks go on by themselves."""
    state = change.state
    if state.is_being_undone:
        stuck = (TaskStatus.FAILED, TaskStatus.RETRYING)
        return [
            task
            for task in state.tasks.values()
            if state.flow.specs[task.task_id].kind is Kind.UNDO and task.status in stuck and not _is_due(change, task)
        ]
    return [
        task
        for task in state.tasks.values()
        if task.task_id in state.flow.tasks
        and (
            (task.status is TaskStatus.RETRYING and not _is_due(change, task))
            or state.plan.marks[task.task_id] is Mark.FAILED
        )
    ]


def _is_asked(change: Change, task: TaskState, act: Act) -> bool:
    """Whether this retry means: ask now. A check by its name, or a task that is `unknown` while it is checked."""
    kind = change.state.flow.specs[task.task_id].kind
    return kind is Kind.CHECK or (task.status is TaskStatus.UNKNOWN and not _says_not_applied(act))


def _ask(change: Change, task: TaskState, act: Act) -> None:
    spec = change.state.flow.specs[task.task_id]
    asked = existing(change, spec.of) if spec.kind is Kind.CHECK else task
    doubtful = asked.status in (TaskStatus.UNKNOWN, TaskStatus.FAILED) and has_unknown_outcome(asked)
    if change.state.flow.tasks[asked.task_id].check is None or not doubtful:
        raise Refused(
            "NOT_UNKNOWN",
            text("The task {task} is {status}; there is nothing to find out.", task=asked.task_id, status=asked.status),
        )
    subject = failing.subject_of(change, asked)
    reopen(change, act)
    change.task(asked.task_id)
    change.log("ask_now", asked.task_id, act.reason, {"by": act.actor})
    change.port_rows(change.port.on_retry(subject, now=change.now, by=act.actor))
    if asked.status is TaskStatus.FAILED:
        change.set_task(asked, TaskStatus.UNKNOWN, "unknown", by=act.actor)
    checking.ask_now(change, asked)
    go_on(change)


def _is_due(change: Change, task: TaskState) -> bool:
    """It is tried at the next moment anyway: its time has come, or a person has retried it already."""
    return task.status is TaskStatus.RETRYING and (
        task.retries == 0 or task.next_at is None or task.next_at <= change.now
    )


def _check_retry(change: Change, task: TaskState, act: Act) -> None:
    retryable = (TaskStatus.FAILED, TaskStatus.RETRYING, TaskStatus.UNKNOWN)
    if task.status not in retryable:
        raise Refused(
            "NOT_RETRYABLE",
            text(
                "The task {task} is {status}; only a failed or waiting task can be retried.",
                task=task.task_id,
                status=task.status,
            ),
        )
    changes = act.payload.get("input") or act.payload.get("config")
    if _is_due(change, task) and override_of(task, act) == task.override:
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
    override = override_of(task, act)
    changed = changed_keys(act)
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
    if task.task_id in state.flow.tasks:
        checking.drop(change, task.task_id)
    if task.status in (TaskStatus.FAILED, TaskStatus.UNKNOWN):
        change.set_task(task, TaskStatus.RETRYING, "retry", by=act.actor)
    task.next_at = change.now
    change.unit.tasks[task.task_id] = task
    state.timers.pop(task.task_id, None)
    if task.task_id in state.flow.tasks:
        state.scope[task.task_id] = task_scope(task)
        state.plan.ready[task.task_id] = None
    else:
        state.errands[task.task_id] = None


def override_of(task: TaskState, act: Act) -> JSON:
    """What persons have changed so far, this act included: a second change keeps what the first one put right."""
    before: Mapping[str, Any] = task.override or {}
    asked = {key: {**(before.get(key) or {}), **act.payload[key]} for key in CHANGEABLE if act.payload.get(key)}
    return {**before, **asked} or None


def changed_keys(act: Act) -> dict[str, Any]:
    changed = sorted(key for key in CHANGEABLE if act.payload.get(key))
    return {"changed": changed} if changed else {}


def skip(change: Change, act: Act) -> bool:
    task = _stoppable(change, act.task_id, "skipped")
    reopen(change, act)
    task.skip_reason = SkipReason.OPERATOR
    task.error = None
    change.set_task(task, TaskStatus.SKIPPED, "skip", act.reason, reason=SkipReason.OPERATOR, by=act.actor)
    failing.close_exception(change, task, by=act.actor)
    if task.task_id in change.state.flow.tasks:
        checking.drop(change, task.task_id)
    else:
        undoing.left(change, task, by=act.actor)
    go_on(change)
    return False


def mark_success(change: Change, act: Act) -> bool:
    task = _stoppable(change, act.task_id, "marked as successful")
    output = act.payload.get("output")
    reopen(change, act)
    task.result = output if output is not None else {}
    task.output = None
    task.error = None
    task.skip_reason = SkipReason.MARKED
    change.set_task(task, TaskStatus.SUCCESS, "mark_success", act.reason, by=act.actor)
    failing.close_exception(change, task, by=act.actor)
    if task.task_id in change.state.flow.tasks:
        checking.drop(change, task.task_id)
    else:
        undoing.undone(change, task, by=act.actor)
    go_on(change)
    return False


def reopen(change: Change, act: Act) -> None:
    """Let an instance that was held go on; a deadline that has passed does not stop it a second time."""
    state = change.state
    if state.deadline_at is not None and state.deadline_at <= change.now:
        state.deadline_at = None
    if state.status is InstanceStatus.COMPENSATING and state.needs_attention:
        failing.close_exception(change, TaskState(task_id=""), by=act.actor)
        state.needs_attention = False
        state.strikes = 0
        change.log("reopen", "", "", {"by": act.actor, "act": act.act})
    if state.status is not InstanceStatus.FAILED:
        return
    close_instance_exception(change, by=act.actor)
    state.needs_attention = False
    state.error = None
    state.strikes = 0
    state.completed_at = None
    change.set_instance(InstanceStatus.RUNNING, "reopen", by=act.actor, act=act.act)


def go_on(change: Change) -> None:
    """After a person has dealt with a task: what remains failed for good says whether the rest may go on."""
    change.state.stop = closing.stop_of(change.state)
    readiness.recheck_all(change)


def close_instance_exception(change: Change, *, by: str) -> None:
    """Close the exception that belongs to the instance itself (poison, timeout, output), if it has one."""
    error = change.state.error
    if error is not None and not error.get("task_id"):
        failing.close_exception(change, TaskState(task_id=""), by=by)


def existing(change: Change, task_id: str, *, errands: bool = False) -> TaskState:
    """The task an act names, or the undo or check of one. Raises `Refused`."""
    state = change.state
    spec = state.flow.specs.get(task_id)
    if spec is not None and spec.kind is Kind.FORWARD and state.is_being_undone:
        raise Refused("COMPENSATING", text("It is being undone; act on the undo of {task}.", task=task_id))
    if spec is not None and spec.kind is Kind.UNDO and (state.undo is None or spec.of not in state.undo.open):
        raise Refused("NOT_BEING_UNDONE", text("The task {task} is not being undone.", task=spec.of))
    if spec is None or (spec.kind is not Kind.FORWARD and not errands):
        raise Refused("UNKNOWN_TASK", text("This flow has no task {task}.", task=task_id))
    return change.state.tasks.get(task_id) or TaskState(task_id=task_id)


def _stoppable(change: Change, task_id: str, what: str) -> TaskState:
    task = existing(change, task_id, errands=True)
    if task.status not in _STOPPABLE or change.state.flow.specs[task_id].kind is Kind.CHECK:
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
