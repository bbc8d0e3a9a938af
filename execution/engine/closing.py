"""How an instance comes to rest: success, held for a person, failed for good, stopped by a deadline, parked."""

from __future__ import annotations

from typing import Any, Final

from disttask_project.kernel.ids import follower_id
from disttask_project.kernel.messages import Message, text
from execution.domain.outcome import Failure, Sort
from execution.domain.planner import Mark
from execution.domain.states import InstanceStatus, TaskStatus
from execution.engine import failing, undoing
from execution.engine.change import Change, failed_task
from execution.engine.scopes import instance_scope
from execution.engine.state import FAILURE_ROWS, InstanceState, PortRow, TaskState
from flows.domain.compiled import ExpressionError, OnFailure

MOVING: Final = (InstanceStatus.PENDING, InstanceStatus.RUNNING, InstanceStatus.COMPENSATING)


def stop_of(state: InstanceState) -> dict[str, Any] | None:
    """The error that lets nothing new start, found again from the tasks: one that failed for good and does not hold.

    Of several the first to fail counts, as it did when it happened.
    """
    if state.plan.failed == 0:
        return None
    stopping = [
        task
        for task in failed_tasks(state)
        if task.error is not None and task.error.final and _policy(state, task.task_id) is not OnFailure.HOLD
    ]
    first = min(stopping, key=lambda task: (task.completed_at or state.created_at, task.task_id), default=None)
    return None if first is None else error_of(first)


def failed_tasks(state: InstanceState) -> list[TaskState]:
    """Tasks that failed for good and were not tolerated."""
    marks = state.plan.marks
    return [task for task in state.tasks.values() if marks.get(task.task_id) is Mark.FAILED]


def _policy(state: InstanceState, task_id: str) -> OnFailure:
    """What follows a failure of this task; of none: of the instance itself."""
    return state.flow.tasks[task_id].on_failure if task_id else state.flow.on_failure


def error_of(task: TaskState) -> dict[str, Any]:
    """The instance's error, made of its task's."""
    error = task.error
    if error is None:
        return {"type": "", "code": "", "message": "", "task_id": task.task_id}
    return {"type": error.type, "code": error.code, "message": error.message, "task_id": task.task_id}


def check_deadline(change: Change) -> None:
    """Once `timeout_seconds` have passed, nothing new starts; section 6 of the language applies."""
    state = change.state
    if state.stop is not None or state.deadline_at is None or state.deadline_at > change.now:
        return
    if state.status is not InstanceStatus.RUNNING:
        return
    state.stop = {
        "type": "Timeout",
        "code": "INSTANCE_TIMEOUT",
        "message": text("The instance did not end within {seconds} s.", seconds=state.flow.timeout_seconds),
        "task_id": "",
    }
    change.log("timeout", "", "INSTANCE_TIMEOUT", {"deadline_at": state.deadline_at.isoformat()})


def settle(change: Change) -> None:
    """Change the instance's status if nothing is in flight and nothing more can happen by itself. Idempotent."""
    _settle(change)
    if change.may_follow and change.state.is_lost:
        change.may_follow = False
        _follow(change)


def _follow(change: Change) -> None:
    """Ask for its failure flow in the group that ends the instance: the request can be neither lost nor made twice.

    The core knows no other flow: `services.following` starts it, and tells where it cannot be started.
    """
    state, named = change.state, change.state.flow.failure_flow
    assert named is not None, "only a flow that names one is followed"
    child = follower_id(state.id)
    asked: dict[str, Any] = {"flow_name": named.flow, "child_id": child, "state": "due", "code": "", "message": ""}
    error = {"type": "", "code": "", "message": "", **(state.error or {}), "final": True}
    scope = {"params": state.params, "tasks": state.scope, "instance": instance_scope(state), "error": error}
    params: dict[str, Any] | None = None
    try:
        params = {name: template.render(scope) for name, template in named.params.items()}
    except ExpressionError as fault:
        asked |= {"code": fault.code, "message": str(fault.args[0] if fault.args else "")}
    values = {**asked, "params": params, "tries": 0, "depth": 0, "next_at": change.now, "asked_at": change.now}
    change.port_rows([PortRow(table=FAILURE_ROWS, key=state.id, values=values)])
    change.log("failure_flow", "", "", {"flow": named.flow, "instance_id": child})


def _settle(change: Change) -> None:
    state = change.state
    if state.in_flight or state.waiting_act is not None:
        return
    if state.status is InstanceStatus.COMPENSATING:
        undoing.settle(change)
    if state.status is not InstanceStatus.RUNNING:
        return
    if state.stop is not None:
        _stopped(change, state.stop)
    elif state.plan.ready or state.timers or state.errands:
        return
    elif state.plan.open == 0 and state.plan.failed == 0:
        _succeeded(change)
    else:
        _held(change)


def _succeeded(change: Change) -> None:
    state = change.state
    try:
        state.output = publish(state)
    except ExpressionError as error:
        message = text("output: {reason}", reason=error.args[0] if error.args else "")
        raise_attention(change, type_="ExpressionError", code="OUTPUT_INVALID", message=message)
        return
    state.error = None
    state.closed = True
    state.completed_at = change.now
    change.set_instance(InstanceStatus.SUCCESS, "complete")


def publish(state: InstanceState) -> dict[str, Any] | None:
    """The flow's `output`: values named by the author, read from what the tasks left."""
    if state.flow.output is None:
        return None
    scope = {"params": state.params, "tasks": state.scope, "instance": instance_scope(state)}
    return {name: template.render(scope) for name, template in state.flow.output.items()}


def _held(change: Change) -> None:
    """Independent branches have run to their end; the rest needs a person."""
    state = change.state
    first = min(failed_tasks(state), key=lambda task: (task.completed_at or change.now, task.task_id), default=None)
    state.error = error_of(first) if first else _undone_error()
    state.needs_attention = True
    change.set_instance(InstanceStatus.FAILED, "failed", error=state.error)


def _undone_error() -> dict[str, Any]:
    """Nothing failed, and yet nothing can go on: what the rest waits for has been undone."""
    message = text("Some tasks have been undone: run them again from here, or undo the rest.")
    return {"type": "EngineError", "code": "UNDONE_TASKS", "message": message, "task_id": ""}


def _stopped(change: Change, error: dict[str, Any]) -> None:
    """A failure under `compensate` or `fail`, or the deadline: what still waits is undone, or given up."""
    state = change.state
    policy = _policy(state, error["task_id"])
    if policy is OnFailure.COMPENSATE:
        if undoing.finds_out_first(change):
            return
        if undoing.has_doubt(state):
            # A check was to tell, and could not: a person must, before anything is undone.
            for task in waiting_tasks(state):
                failing.give_up(change, task)
            _held(change)
            return
        if error["code"] == "INSTANCE_TIMEOUT":
            open_exception(change, type_=error["type"], code=error["code"], message=error["message"])
        undoing.begin(change, error)
        undoing.settle(change)
        return
    held = policy is OnFailure.HOLD
    for task in waiting_tasks(state):
        if held:
            failing.give_up(change, task)
        else:
            change.set_task(task, TaskStatus.CANCELLED, "cancel", "the instance has failed")
            failing.close_exception(change, task, by="engine")
    undoing.drop_checks(change)
    if error["code"] == "INSTANCE_TIMEOUT":
        open_exception(change, type_=error["type"], code=error["code"], message=error["message"])
    state.error = error
    state.needs_attention = held
    state.closed = not held
    state.completed_at = None if held else change.now
    change.set_instance(InstanceStatus.FAILED, "failed", error=error)


def waiting_tasks(state: InstanceState) -> list[TaskState]:
    """Tasks that wait for their next attempt, or for somebody to find out about their last."""
    waiting = (TaskStatus.RETRYING, TaskStatus.UNKNOWN)
    return [task for task in state.tasks.values() if task.status in waiting and task.task_id in state.flow.tasks]


def park(change: Change, *, code: str, message: str | Message) -> None:
    """Take the instance out of circulation: no retry by rule, one exception of its own, a person must look."""
    state = change.state
    if state.status is InstanceStatus.COMPENSATING:
        _park_undo(change, code=code, message=message)
        return
    for task in waiting_tasks(state):
        failing.give_up(change, task)
    undoing.drop_checks(change)
    if state.status is InstanceStatus.PENDING:
        state.started_at = change.now
    if state.status in (InstanceStatus.PENDING, InstanceStatus.RUNNING):
        state.parked = True
        raise_attention(change, type_="EngineError", code=code, message=message)


def _park_undo(change: Change, *, code: str, message: str | Message) -> None:
    """It stays `compensating`, and nothing more is undone until a person says so."""
    state = change.state
    if state.needs_attention:
        return
    undoing.give_up_waiting(change)
    state.parked = True
    state.needs_attention = True
    open_exception(change, type_="EngineError", code=code, message=message)
    change.log("attention", "", message, {"code": code})


def raise_attention(change: Change, *, type_: str, code: str, message: str) -> None:
    """`failed`, held, with an exception that belongs to the instance itself."""
    state = change.state
    open_exception(change, type_=type_, code=code, message=message)
    state.error = {"type": type_, "code": code, "message": message, "task_id": ""}
    state.needs_attention = True
    change.set_instance(InstanceStatus.FAILED, "failed", error=state.error)


def open_exception(change: Change, *, type_: str, code: str, message: str) -> None:
    """One that belongs to the instance itself."""
    failure = Failure(sort=Sort.REFUSED, type=type_, code=code, message=message)
    subject = failed_task(change.state, None, TaskState(task_id=""), change.now)
    decision = change.port.on_failure(subject, failure, failing.NO_RETRY, now=change.now, jitter=0.0)
    change.port_rows(decision.rows)
