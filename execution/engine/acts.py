"""Operator acts: each is checked against the state, done or refused in plain words, and never half done.

A cancel or pause while calls are in flight stays open (`waiting_act`): nothing new starts, the calls end and are
recorded, then it takes effect and gets its verdict. It outlives the driver, since the inbox still holds it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from disttask_project.kernel.messages import text
from execution.domain.outcome import Failure, Sort
from execution.domain.planner import Mark
from execution.domain.states import InstanceStatus, SkipReason, TaskStatus
from execution.engine import attempts, closing, readiness
from execution.engine.change import Change
from execution.engine.state import Act, TaskState

_STOPPABLE: Final = (TaskStatus.PENDING, TaskStatus.RETRYING, TaskStatus.FAILED, TaskStatus.UNKNOWN)
_OPEN: Final = (InstanceStatus.PENDING, InstanceStatus.RUNNING, InstanceStatus.FAILED, InstanceStatus.PAUSED)


class Refused(Exception):
    """The act does not fit the state; `code` is stable, the message says what stands in the way."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def take_up(change: Change, acts: Sequence[Act]) -> None:
    """Do or refuse each act, in the order they were asked. One that is waiting already is not taken up twice."""
    for act in acts:
        waiting = change.state.waiting_act
        if waiting is not None and waiting.action_id == act.action_id:
            continue
        _take_up_one(change, act)
    finish_waiting(change)


def finish_waiting(change: Change) -> None:
    """Let a waiting cancel or pause take effect once nothing is in flight."""
    act = change.state.waiting_act
    if act is None or change.state.in_flight:
        return
    change.state.waiting_act = None
    before = _picture(change, act)
    try:
        _FINISH[act.act](change, act)
    except Refused as refused:
        change.refuse(act, refused.code, refused.message)
        return
    change.verdict(act, text("done"), before=before, after=_picture(change, act))


def _take_up_one(change: Change, act: Act) -> None:
    before = _picture(change, act)
    try:
        _check_open(change)
        waits = _ACTS[act.act](change, act)
    except Refused as refused:
        change.refuse(act, refused.code, refused.message)
        return
    if not waits:
        readiness.settle_joins(change)
        closing.settle(change)
        change.verdict(act, text("done"), before=before, after=_picture(change, act))


def _check_open(change: Change) -> None:
    state = change.state
    if state.status not in _OPEN or state.closed:
        raise Refused(
            "INSTANCE_ENDED",
            text("The instance has ended ({status}); nothing can be changed any more.", status=state.status),
        )


def _retry(change: Change, act: Act) -> bool:
    state = change.state
    if act.task_id:
        tasks = [_existing(change, act.task_id)]
    else:
        tasks = [
            task
            for task in state.tasks.values()
            if task.status is TaskStatus.RETRYING or state.plan.marks[task.task_id] is Mark.FAILED
        ]
        instance_failed = state.status is InstanceStatus.FAILED and state.error is not None
        if not tasks and not instance_failed:
            raise Refused("NOTHING_TO_RETRY", text("No task of this instance has failed or waits for a retry."))
    for task in tasks:
        _check_retry(task, act)
    _reopen(change, act)
    for task in tasks:
        _retry_task(change, task, act)
    return False


def _check_retry(task: TaskState, act: Act) -> None:
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
    unknown = task.error is not None and task.error.type == "UnknownOutcome"
    if changes and unknown and act.payload.get("outcome") != "not_applied":
        raise Refused(
            "OUTCOME_UNKNOWN",
            text(
                "Nobody knows whether the last attempt took effect, and a changed input would go out under a new key. "
                'Find out first; then retry with "outcome": "not_applied", or mark the task as successful.'
            ),
        )


def _retry_task(change: Change, task: TaskState, act: Act) -> None:
    state = change.state
    override = {key: act.payload[key] for key in ("input", "config") if act.payload.get(key)}
    if override:
        task.override = override
        task.run += 1
        task.input = task.config = None
    task.retries = 0
    task.first_failed_at = None
    task.completed_at = None
    change.log("retry_now", task.task_id, act.reason, {"by": act.actor, "run": task.run, **_changed(override)})
    if task.attempt == 0:
        # It failed before any attempt: its condition and its join are looked at anew.
        task.error = None
        change.set_task(task, TaskStatus.PENDING, "reset", by=act.actor)
        change.recheck.append(task.task_id)
        attempts.close_exception(change, task, by=act.actor)
        return
    subject = attempts.subject_of(change, task)
    change.port_rows(change.port.on_retry(subject, now=change.now, by=act.actor))
    if task.status is TaskStatus.FAILED:
        change.set_task(task, TaskStatus.RETRYING, "retry", by=act.actor)
    task.next_at = change.now
    change.unit.tasks[task.task_id] = task
    state.timers.pop(task.task_id, None)
    state.plan.ready[task.task_id] = None


def _changed(override: Mapping[str, Any]) -> dict[str, Any]:
    return {"changed": sorted(override)} if override else {}


def _skip(change: Change, act: Act) -> bool:
    task = _stoppable(change, act.task_id, "skipped")
    _reopen(change, act)
    task.skip_reason = SkipReason.OPERATOR
    task.error = None
    change.set_task(task, TaskStatus.SKIPPED, "skip", act.reason, reason=SkipReason.OPERATOR, by=act.actor)
    attempts.close_exception(change, task, by=act.actor)
    return False


def _mark_success(change: Change, act: Act) -> bool:
    task = _stoppable(change, act.task_id, "marked as successful")
    output = act.payload.get("output")
    _reopen(change, act)
    task.result = output if output is not None else {}
    task.output = None
    task.error = None
    change.set_task(task, TaskStatus.SUCCESS, "mark_success", act.reason, by=act.actor)
    attempts.close_exception(change, task, by=act.actor)
    return False


def _cancel(change: Change, act: Act) -> bool:
    if change.state.in_flight and not act.payload.get("force"):
        return _wait_for_calls(change, act)
    _finish_cancel(change, act)
    return False


def _finish_cancel(change: Change, act: Act) -> None:
    state = change.state
    abandoned = Failure(
        sort=Sort.MAYBE_APPLIED,
        type="UnknownOutcome",
        code="CANCELLED",
        message=text("The instance was cancelled by force while the call was under way."),
    )
    for task in [task for task in state.tasks.values() if task.open_attempt is not None]:
        attempts.record_failure(change, change.task(task.task_id), abandoned, row=None)
    for task in list(state.tasks.values()):
        if task.status in (TaskStatus.RETRYING, TaskStatus.UNKNOWN):
            change.set_task(task, TaskStatus.CANCELLED, "cancel", by=act.actor)
        if task.error is not None:
            attempts.close_exception(change, task, by=act.actor)
    _close(change, act)
    change.set_instance(InstanceStatus.CANCELLED, "cancel", act.reason, by=act.actor)


def _pause(change: Change, act: Act) -> bool:
    if change.state.status not in (InstanceStatus.PENDING, InstanceStatus.RUNNING):
        raise Refused(
            "NOT_RUNNING",
            text("Only a running instance can be paused; it is {status}.", status=change.state.status),
        )
    if change.state.in_flight:
        return _wait_for_calls(change, act)
    _finish_pause(change, act)
    return False


def _finish_pause(change: Change, act: Act) -> None:
    state = change.state
    if state.status not in (InstanceStatus.PENDING, InstanceStatus.RUNNING):
        raise Refused(
            "NOT_RUNNING", text("Only a running instance can be paused; it is {status}.", status=state.status)
        )
    state.paused_from = state.status
    change.set_instance(InstanceStatus.PAUSED, "pause", act.reason, by=act.actor)


def _resume(change: Change, act: Act) -> bool:
    state = change.state
    if state.status is not InstanceStatus.PAUSED:
        raise Refused("NOT_PAUSED", text("Only a paused instance can be resumed; it is {status}.", status=state.status))
    change.set_instance(InstanceStatus(state.paused_from or "running"), "resume", act.reason, by=act.actor)
    state.paused_from = ""
    readiness.recheck_all(change)
    closing.check_deadline(change)
    return False


def _close_act(change: Change, act: Act) -> bool:
    state = change.state
    if state.status is not InstanceStatus.FAILED:
        raise Refused("NOT_FAILED", text("Only a failed instance can be closed; it is {status}.", status=state.status))
    for task in state.tasks.values():
        if task.error is not None:
            attempts.close_exception(change, task, by=act.actor)
    _close(change, act)
    change.log("close", "", act.reason, {"by": act.actor})
    return False


def _close(change: Change, act: Act) -> None:
    state = change.state
    close_instance_exception(change, by=act.actor)
    state.closed = True
    state.needs_attention = False
    state.completed_at = change.now


def close_instance_exception(change: Change, *, by: str) -> None:
    """Close the exception that belongs to the instance itself (poison, timeout, output), if it has one."""
    error = change.state.error
    if error is not None and not error.get("task_id"):
        attempts.close_exception(change, TaskState(task_id=""), by=by)


def _wait_for_calls(change: Change, act: Act) -> bool:
    state = change.state
    if state.waiting_act is not None:
        raise Refused(
            "ACT_WAITING",
            text(
                "{act} by {actor} already waits for the calls in flight to end.",
                act=state.waiting_act.act,
                actor=state.waiting_act.actor,
            ),
        )
    state.waiting_act = act
    change.log("asked", "", act.reason, {"act": act.act, "by": act.actor, "in_flight": state.in_flight})
    return True


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
    state.stop = None
    state.strikes = 0
    state.completed_at = None
    change.set_instance(InstanceStatus.RUNNING, "reopen", by=act.actor, act=act.act)
    readiness.recheck_all(change)


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


def _picture(change: Change, act: Act) -> dict[str, Any]:
    """Before and after, for the audit."""
    state = change.state
    picture: dict[str, Any] = {
        "status": state.status,
        "needs_attention": state.needs_attention,
        "closed": state.closed,
    }
    if act.task_id:
        task = state.tasks.get(act.task_id)
        picture["task"] = (
            {"status": task.status, "run": task.run, "input": task.input} if task else {"status": "pending"}
        )
        if task and task.override:
            picture["task"]["override"] = task.override
    return picture


_ACTS: Final[Mapping[str, Callable[[Change, Act], bool]]] = {
    "retry": _retry,
    "skip": _skip,
    "mark_success": _mark_success,
    "cancel": _cancel,
    "pause": _pause,
    "resume": _resume,
    "close": _close_act,
}
_FINISH: Final[Mapping[str, Callable[[Change, Act], None]]] = {
    "cancel": _finish_cancel,
    "pause": _finish_pause,
}
KNOWN_ACTS: Final = frozenset(_ACTS)
