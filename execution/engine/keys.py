"""Idempotency keys (architecture 4.9): `{instance}:{task}`, `:r{n}` for run n, `:undo` for what takes it back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from disttask_project.kernel.json import JSON
from disttask_project.kernel.messages import text
from execution.domain.outcome import Undone
from execution.domain.states import SkipReason
from execution.engine.scopes import scope_of
from execution.engine.state import InstanceState, TaskState
from flows.domain.compiled import CompiledTask, ExpressionError, Kind

KEY_LENGTH: Final = 255


def forward_key(state: InstanceState, spec: CompiledTask, task: TaskState, scope: Mapping[str, Any]) -> str:
    """The key of a task's run, made by its author's rule if there is one. Raises `ExpressionError`."""
    base: JSON = f"{state.id}:{spec.id}"
    if spec.idempotency_key is not None:
        base = spec.idempotency_key.render(scope)
    suffix = _run_suffix(task.run)
    if not isinstance(base, str) or not base or len(base) + len(suffix) > KEY_LENGTH:
        raise ExpressionError(text("idempotency_key must give a text of 1 to {most} characters", most=KEY_LENGTH))
    return base + suffix


def errand_key(state: InstanceState, spec: CompiledTask, task: TaskState) -> str:
    """`{instance}:{task}:undo`, of the run that is undone; a person's change makes a run of the undo's own."""
    base = f"{state.id}:{spec.of}{_run_suffix(state.tasks[spec.of].run)}"
    if spec.kind is Kind.CHECK:
        return f"{base}:check"
    return f"{base}:undo{_run_suffix(task.run)}"


def undone_call(state: InstanceState, spec: CompiledTask) -> Undone | None:
    """The call that an undo undoes, as it was sent. Raises `ExpressionError`.

    None where a person stated the success: what they did outside has left no trace to find it by.
    """
    if spec.kind is not Kind.UNDO:
        return None
    forward = state.tasks[spec.of]
    if forward.skip_reason == SkipReason.MARKED or forward.config is None:
        return None
    forward_spec = state.flow.tasks[spec.of]
    scope = {**scope_of(state, forward_spec, forward), "input": forward.input or {}}
    return Undone(
        task_id=spec.of,
        type=forward_spec.type,
        run=forward.run,
        key=forward_key(state, forward_spec, forward, scope),
        config=forward.config,
    )


def _run_suffix(run: int) -> str:
    return f":r{run}" if run > 1 else ""
