"""Compensation: finished tasks are undone in reverse order of the graph, in parallel where it allows (section 6).

What is to be undone stands `compensating` in its own row, so that a new owner finds the plan in the rows; the undo
itself is an errand with attempts, retries and exceptions of its own (`deduct.undo`). One that fails for good holds back
what came before it, and once nothing else moves the instance needs a person.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final

from disttask_project.kernel.messages import text
from execution.domain.states import InstanceStatus, TaskStatus
from execution.domain.undoing import UndoPlan, undo_plan
from execution.engine import checking, failing
from execution.engine.change import Change
from execution.engine.state import UNKNOWN_OUTCOME, UNREADABLE_ANSWER, InstanceState, TaskState
from flows.domain.compiled import Kind

_DOUBTFUL: Final = (UNKNOWN_OUTCOME, UNREADABLE_ANSWER)


def has_unknown_outcome(task: TaskState) -> bool:
    """Nobody knows whether it took effect."""
    return task.status is not TaskStatus.SUCCESS and task.error is not None and task.error.type == UNKNOWN_OUTCOME


def may_have_effect(task: TaskState) -> bool:
    """It took effect, or may have: then it is undone, and an undo that finds nothing to undo does no harm."""
    if task.status is TaskStatus.SUCCESS:
        return True
    if task.status in (TaskStatus.COMPENSATED, TaskStatus.SKIPPED, TaskStatus.PENDING):
        return False
    return task.error is not None and task.error.type in _DOUBTFUL


def undoable(state: InstanceState) -> list[str]:
    """Tasks that can be undone and are not yet, in the order of the graph. One a person left as it is stays so."""
    found = []
    for task_id, spec in state.flow.tasks.items():
        task = state.tasks.get(task_id)
        if spec.undo is None or task is None or not may_have_effect(task):
            continue
        undo = state.tasks.get(spec.undo.id)
        if undo is None or undo.status is not TaskStatus.SKIPPED:
            found.append(task_id)
    return found


def finds_out_first(change: Change) -> bool:
    """Whether a check has yet to say what a task did; one that was to be retried is asked about instead."""
    state = change.state
    asking = False
    for task in [task for task in state.tasks.values() if task.task_id in state.flow.tasks]:
        spec = state.flow.tasks[task.task_id]
        if spec.check is None or not has_unknown_outcome(task):
            continue
        if task.status is TaskStatus.RETRYING:
            change.set_task(task, TaskStatus.UNKNOWN, "unknown", attempt=task.attempt)
            checking.begin(change, task)
        asking = asking or task.status is TaskStatus.UNKNOWN
    return asking


def has_doubt(state: InstanceState) -> bool:
    """A check was asked as often as it may be and did not tell, or its task holds for a person."""
    return any(
        task.status is TaskStatus.FAILED and has_unknown_outcome(task)
        for task in state.tasks.values()
        if task.task_id in state.flow.tasks and state.flow.tasks[task.task_id].check is not None
    )


def drop_checks(change: Change) -> None:
    for task_id in change.state.flow.tasks if len(change.state.flow.specs) > len(change.state.flow.tasks) else ():
        checking.drop(change, task_id)


def begin(
    change: Change,
    error: dict[str, Any],
    *,
    only: Collection[str] | None = None,
    outside: Collection[str] = (),
    inputs: Mapping[str, Any] | None = None,
    by: str = "engine",
    reason: str = "",
) -> None:
    """Nothing is in flight: put up the plan. `only` narrows it; `outside` has been undone by other hands already."""
    state = change.state
    chosen = [task_id for task_id in undoable(state) if only is None or task_id in only]
    for task_id in chosen:
        task = change.task(task_id)
        undo = _fresh_undo(change, task_id)
        change.set_task(task, TaskStatus.COMPENSATING, "compensate", by=by)
        if task_id in outside:
            change.set_task(undo, TaskStatus.SUCCESS, "mark_success", by=by)
            change.set_task(task, TaskStatus.COMPENSATED, "compensated", by=by)
            failing.close_exception(change, task, by=by)
            continue
        if inputs and inputs.get(task_id):
            undo.override = {"input": inputs[task_id]}
    for task in list(state.tasks.values()):
        if task.task_id in state.flow.tasks and task.status in (TaskStatus.RETRYING, TaskStatus.UNKNOWN):
            change.set_task(task, TaskStatus.CANCELLED, "cancel", by=by)
            failing.close_exception(change, task, by=by)
    drop_checks(change)
    state.error = error
    state.stop = None
    state.needs_attention = False
    state.deadline_at = None
    change.set_instance(InstanceStatus.COMPENSATING, "compensate", reason, by=by, tasks=len(chosen))
    state.undo = plan_of(state)
    offer(change)


def _fresh_undo(change: Change, task_id: str) -> TaskState:
    spec = change.state.flow.tasks[task_id].undo
    assert spec is not None, "only a task that has an undo is undone"
    return change.fresh_errand(spec.id)


def plan_of(state: InstanceState) -> UndoPlan | None:
    """The plan as the rows of the tasks tell it; None while nothing is being undone."""
    if not state.is_being_undone:
        return None
    open_ = [task.task_id for task in state.tasks.values() if task.status is TaskStatus.COMPENSATING]
    return undo_plan(state.flow, open_)


def offer(change: Change) -> None:
    """Look at every undo again: what may begin and has not is ready."""
    state = change.state
    if state.undo is None or state.status is not InstanceStatus.COMPENSATING:
        return
    for task_id in state.undo.ready():
        _offer_one(state, task_id)


def _offer_one(state: InstanceState, task_id: str) -> None:
    spec = state.flow.tasks[task_id].undo
    assert spec is not None, "only a task that has an undo is in the plan"
    undo = state.tasks.get(spec.id)
    if undo is None or undo.status is TaskStatus.PENDING:
        state.errands[spec.id] = None


def undone(change: Change, undo: TaskState, *, by: str = "engine") -> None:
    """The undo of a task has taken effect, or a person says it is undone."""
    task = change.task(change.state.flow.specs[undo.task_id].of)
    change.set_task(task, TaskStatus.COMPENSATED, "compensated", by=by)
    if task.error is not None:
        failing.close_exception(change, task, by=by)
    _advance(change, task.task_id)


def left(change: Change, undo: TaskState, *, by: str) -> None:
    """A person leaves the effect of a task in place; what came before it is undone all the same."""
    task = change.task(change.state.flow.specs[undo.task_id].of)
    status = TaskStatus.SUCCESS if task.error is None else TaskStatus.FAILED
    if task.error is not None:
        failing.open_exception(change, task, task.error)  # it may have been waiting for a retry when its undo began
    change.set_task(task, status, "left", by=by)
    _advance(change, task.task_id)


def _advance(change: Change, task_id: str) -> None:
    state = change.state
    for freed in state.undo.close(task_id) if state.undo is not None else ():
        _offer_one(state, freed)


def give_up_waiting(change: Change) -> None:
    """The undos that wait for their next try need a person now."""
    state = change.state
    for task in list(state.tasks.values()):
        if state.flow.specs[task.task_id].kind is Kind.UNDO and task.status in (
            TaskStatus.RETRYING,
            TaskStatus.UNKNOWN,
        ):
            failing.give_up(change, task)


def settle(change: Change) -> None:
    """Nothing is in flight: all is undone, or nothing more moves without a person. Idempotent."""
    state = change.state
    if state.status is not InstanceStatus.COMPENSATING or state.needs_attention or state.undo is None:
        return
    if state.errands or state.timers:
        return
    if state.undo.open:
        state.needs_attention = True
        change.log("attention", "", text("Some tasks could not be undone."), {"tasks": sorted(state.undo.open)[:100]})
        return
    _finish(change)


def _finish(change: Change) -> None:
    state = change.state
    state.undo = None
    if undoable(state):
        state.needs_attention = True
        change.set_instance(InstanceStatus.FAILED, "partly_compensated", tasks=undoable(state)[:100])
        return
    for task in list(state.tasks.values()):
        if task.error is not None:
            failing.close_exception(change, task, by="compensation")
    failing.close_exception(change, TaskState(task_id=""), by="compensation")
    state.closed = True
    state.completed_at = change.now
    change.set_instance(InstanceStatus.COMPENSATED, "compensated")
