"""A person has an instance undone, all of it or a part (section 6)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final

from disttask_project.kernel.messages import text
from execution.domain.states import InstanceStatus, TaskStatus
from execution.domain.undoing import later_than
from execution.engine import undoing
from execution.engine.change import Change
from execution.engine.mending import Refused, close_instance_exception
from execution.engine.state import Act, InstanceState

MAX_NAMED: Final = 10
_MAY_BEGIN: Final = (InstanceStatus.RUNNING, InstanceStatus.FAILED, InstanceStatus.PAUSED)


def check(state: InstanceState, act: Act) -> None:
    """Refuse what cannot be undone as asked. `payload`: `tasks` (all without it), `outside`, `inputs` by task."""
    if state.status not in _MAY_BEGIN:
        raise Refused(
            "NOT_COMPENSABLE", text("An instance that is {status} has nothing to undo yet.", status=state.status)
        )
    can = undoing.undoable(state)
    if not can:
        raise Refused("NOTHING_TO_UNDO", text("No task of this instance has anything to undo."))
    asked = [*_names(act, "tasks"), *_names(act, "outside"), *(act.payload.get("inputs") or {})]
    for task_id in asked:
        if task_id not in state.flow.tasks:
            raise Refused("UNKNOWN_TASK", text("This flow has no task {task}.", task=task_id))
    wrong = sorted(set(asked).difference(can))
    if wrong:
        raise Refused("NOT_UNDOABLE", text("There is nothing to undo in: {tasks}.", tasks=_listed(wrong)))
    chosen = _chosen(act, can)
    if not chosen:
        raise Refused("NOTHING_TO_UNDO", text("Name at least one task to undo; without a list all of them are undone."))
    left_out = _left_after(state, chosen, can)
    if left_out:
        raise Refused(
            "UNDO_ORDER",
            text("These came later and must be undone too, or first: {tasks}.", tasks=_listed(left_out)),
        )
    asking = [task_id for task_id in chosen if state.tasks[task_id].status is TaskStatus.UNKNOWN]
    if asking:
        raise Refused(
            "OUTCOME_UNKNOWN",
            text(
                "A check is still asking whether these took effect: {tasks}. Wait for it, or say what they did.",
                tasks=_listed(asking),
            ),
        )


def take_back(change: Change, act: Act) -> None:
    """Put up the plan; nothing is in flight any more."""
    state = change.state
    check(state, act)
    chosen = _chosen(act, undoing.undoable(state))
    close_instance_exception(change, by=act.actor)
    error = state.error or {"type": "Operator", "code": "COMPENSATE", "message": act.reason, "task_id": ""}
    state.paused_from = ""
    state.completed_at = None
    state.strikes = 0
    inputs: Mapping[str, Any] = act.payload.get("inputs") or {}
    undoing.begin(
        change, error, only=chosen, outside=_names(act, "outside"), inputs=inputs, by=act.actor, reason=act.reason
    )


def _chosen(act: Act, can: Collection[str]) -> list[str]:
    only = _names(act, "tasks")
    outside = _names(act, "outside")
    return list(can) if act.payload.get("tasks") is None else [name for name in can if name in only or name in outside]


def _left_after(state: InstanceState, chosen: Collection[str], can: Collection[str]) -> list[str]:
    """What came after a chosen task, could be undone, and is not chosen."""
    left = set(can).difference(chosen)
    if not left:
        return []
    found: set[str] = set()
    for task_id in chosen:
        found |= left.intersection(later_than(state.flow, task_id))
    return [task_id for task_id in can if task_id in found]


def _names(act: Act, key: str) -> list[str]:
    return list(act.payload.get(key) or ())


def _listed(names: Collection[str]) -> str:
    shown = list(names)[:MAX_NAMED]
    return ", ".join(shown) + (" ..." if len(names) > len(shown) else "")
