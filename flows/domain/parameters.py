"""Binding of a task's input (flow-definition 4)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from disttask_project.kernel.errors import Problem
from flows.domain.compiled import CompiledTask, Scope


class InputError(Exception):
    """A task's input does not fit its fields; `problems` lists every fault with its path."""

    def __init__(self, message: str, problems: Sequence[Problem]) -> None:
        super().__init__(message)
        self.problems = tuple(problems)


def bind_input(
    task: CompiledTask, *, params: Mapping[str, Any], scope: Scope, override: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Values for the input, later wins: field defaults, params, `input_from`, `input`, an operator's change."""
    bound: dict[str, Any] = {field.name: field.default for field in task.fields if field.has_default}
    for key in (task.task_name, task.id):
        value = params.get(key)
        if isinstance(value, dict):
            bound.update(value)
    for name, expression in task.input_from.items():
        bound[name] = expression.evaluate(scope)
    for name, template in task.input.items():
        bound[name] = template.render(scope)
    bound.update(override or {})
    return bound
