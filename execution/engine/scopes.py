"""What a task's expressions see, and how their failures are told."""

from __future__ import annotations

from typing import Any

from disttask_project.kernel.messages import text
from execution.domain.outcome import Failure, Sort
from execution.engine.state import InstanceState, TaskState
from flows.domain.compiled import CompiledTask, ExpressionError, Kind


def scope_of(state: InstanceState, spec: CompiledTask, task: TaskState | None = None) -> dict[str, Any]:
    """The roots that a task's expressions see, but `input` and `result`, which their users add."""
    return {
        "params": state.params,
        "tasks": state.scope,
        "instance": instance_scope(state),
        "task": {"id": spec.id, "attempt": task.attempt if task else 0},
    }


def errand_scope(state: InstanceState, spec: CompiledTask, task: TaskState | None = None) -> dict[str, Any]:
    """The roots of an undo or a check: they see their own task too, and an undo sees what it is undone for."""
    scope = scope_of(state, state.flow.tasks[spec.of], task)
    if spec.kind is Kind.UNDO:
        error = state.error or {}
        scope["error"] = {
            "type": error.get("type", ""),
            "code": error.get("code", ""),
            "message": error.get("message", ""),
            "final": True,
        }
    return scope


def instance_scope(state: InstanceState) -> dict[str, Any]:
    """The same for the whole life of an instance, so made once."""
    if state.root is not None:
        return state.root
    created = state.created_at.isoformat().replace("+00:00", "Z")
    state.root = {
        "id": state.id,
        "flow": state.flow.name,
        "version": state.version_number,
        "created_at": created,
        "scheduled_at": created,
        "tags": dict(state.tags),
    }
    return state.root


def expression_failure(error: ExpressionError, field: str) -> Failure:
    """A path that is missing, a type that does not fit: an error of the task, never a silent null."""
    return Failure(
        sort=Sort.REFUSED,
        type="ExpressionError",
        code=error.code,
        message=text("{field}: {reason}", field=field, reason=error.args[0] if error.args else ""),
    )
