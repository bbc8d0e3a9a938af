"""Operator acts: each is checked against the state, done or refused in plain words, and never half done.

A cancel or pause while calls are in flight stays open (`waiting_act`): nothing new starts, the calls end and are
recorded, then it takes effect and gets its verdict. It outlives the driver, since the inbox still holds it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from disttask_project.kernel.messages import text
from execution.domain.outcome import Failure, Sort
from execution.domain.states import InstanceStatus, TaskStatus
from execution.engine import closing, failing, mending, readiness, rerunning, taking_back
from execution.engine.change import Change
from execution.engine.mending import Refused
from execution.engine.recording import record_failure
from execution.engine.state import Act

_OPEN: Final = (
    InstanceStatus.PENDING,
    InstanceStatus.RUNNING,
    InstanceStatus.FAILED,
    InstanceStatus.PAUSED,
    InstanceStatus.COMPENSATING,
)


def take_up(change: Change, acts: Sequence[Act]) -> None:
    """Do or refuse each act, in the order they were asked. One that waits, or is decided already, is not done twice."""
    for act in acts:
        waiting = change.state.waiting_act
        if act.action_id in change.state.decided or (waiting is not None and waiting.action_id == act.action_id):
            continue
        _take_up_one(change, act)
    finish_waiting(change)


def refuse_all(change: Change, acts: Sequence[Act], *, code: str, reason: str) -> None:
    """Acts that stand open and cannot be done."""
    for act in acts:
        change.refuse(act, code, reason)


def finish_waiting(change: Change) -> None:
    """Let a waiting cancel or pause take effect once nothing is in flight."""
    act = change.state.waiting_act
    if act is None or change.state.in_flight:
        return
    change.state.waiting_act = None
    before = _picture(change, act)
    try:
        _check_open(change)
        _FINISH[act.act](change, act)
    except Refused as refused:
        change.refuse(act, refused.code, refused.message)
        readiness.recheck_all(change)  # while it waited no join was looked at, and others may have changed them
        return
    change.verdict(act, text("done"), before=before, after=_picture(change, act))


def _take_up_one(change: Change, act: Act) -> None:
    before = _picture(change, act)
    try:
        _check_open(change)
        _check_parked(change, act)
        waits = _act_named(act.act)(change, act)
    except Refused as refused:
        change.refuse(act, refused.code, refused.message)
        return
    if not waits:
        readiness.settle_joins(change)
        closing.settle(change)
        change.verdict(act, text("done"), before=before, after=_picture(change, act))


def _act_named(name: str) -> Callable[[Change, Act], bool]:
    if name not in _ACTS:
        raise Refused("UNKNOWN_ACT", text("There is no act {act}.", act=name))
    return _ACTS[name]


def _check_parked(change: Change, act: Act) -> None:
    """One asked before the instance was parked would undo that in the same commit, and kill the next worker."""
    if change.state.parked and act.act in _MENDING:
        raise Refused(
            "PARKED", text("The instance was parked a moment ago; look at the reason, then ask again if it still fits.")
        )


def _check_open(change: Change) -> None:
    state = change.state
    if state.status not in _OPEN or state.closed:
        raise Refused(
            "INSTANCE_ENDED",
            text("The instance has ended ({status}); nothing can be changed any more.", status=state.status),
        )


def _cancel(change: Change, act: Act) -> bool:
    _check_not_undone(change)
    if change.state.in_flight and not act.payload.get("force"):
        return _wait_for_calls(change, act)
    _finish_cancel(change, act)
    return False


def _check_not_undone(change: Change) -> None:
    if change.state.is_being_undone:
        raise Refused(
            "COMPENSATING",
            text("It is being undone; retry, skip or mark the undo that stands still, and it will end by itself."),
        )


def _compensate(change: Change, act: Act) -> bool:
    _check_not_undone(change)
    taking_back.check(change.state, act)
    if change.state.in_flight:
        return _wait_for_calls(change, act)
    taking_back.take_back(change, act)
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
        record_failure(change, change.task(task.task_id), abandoned, row=None)
    for task in list(state.tasks.values()):
        if task.status in (TaskStatus.RETRYING, TaskStatus.UNKNOWN):
            change.set_task(task, TaskStatus.CANCELLED, "cancel", by=act.actor)
        if task.error is not None:
            failing.close_exception(change, task, by=act.actor)
    _close(change, act)
    change.set_instance(InstanceStatus.CANCELLED, "cancel", act.reason, by=act.actor)


def _pause(change: Change, act: Act) -> bool:
    if change.state.status not in closing.MOVING:
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
    if state.status not in closing.MOVING:
        raise Refused(
            "NOT_RUNNING", text("Only a running instance can be paused; it is {status}.", status=state.status)
        )
    state.paused_from = state.status
    state.needs_attention = False
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
    for task in list(state.tasks.values()):
        if task.status in (TaskStatus.RETRYING, TaskStatus.UNKNOWN):  # it was parked unread, as it stood
            change.set_task(task, TaskStatus.CANCELLED, "cancel", by=act.actor)
        if task.error is not None:
            failing.close_exception(change, task, by=act.actor)
    _close(change, act)
    change.log("close", "", act.reason, {"by": act.actor})
    return False


def _close(change: Change, act: Act) -> None:
    state = change.state
    mending.close_instance_exception(change, by=act.actor)
    state.closed = True
    state.needs_attention = False
    state.completed_at = change.now


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
    "retry": mending.retry,
    "rerun": rerunning.rerun,
    "compensate": _compensate,
    "skip": mending.skip,
    "mark_success": mending.mark_success,
    "cancel": _cancel,
    "pause": _pause,
    "resume": _resume,
    "close": _close_act,
}
_FINISH: Final[Mapping[str, Callable[[Change, Act], None]]] = {
    "cancel": _finish_cancel,
    "pause": _finish_pause,
    "compensate": taking_back.take_back,
}
_MENDING: Final = frozenset({"retry", "rerun", "skip", "mark_success", "compensate"})
KNOWN_ACTS: Final = frozenset(_ACTS)
