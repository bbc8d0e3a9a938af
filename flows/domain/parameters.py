"""Parameters of a start, and a task's input made of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from disttask_project.kernel.errors import Problem
from disttask_project.kernel.json import JSON
from disttask_project.kernel.messages import text
from flows.domain import schemas
from flows.domain.catalog import FIELD_TYPES
from flows.domain.coercion import coerced
from flows.domain.compiled import CompiledFlow, CompiledTask, InputField, Scope
from flows.domain.problems import Problems


class InputError(Exception):
    """A task's input that its fields refuse; `problems` are all that is wrong, each with its path."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        listed = "; ".join(f"{'.'.join(map(str, problem.loc))}: {problem.message}" for problem in self.problems)
        super().__init__(text("The input is not accepted: {problems}", problems=listed))


def bind_input(
    task: CompiledTask,
    *,
    params: Mapping[str, Any],
    scope: Scope,
    override: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The task's input. Later wins: field defaults, `params[task_name]`, `params[id]`, `input_from`, `input`,
    `override` (an operator's change at a retry).

    Then checked and coerced by the task's fields; without fields it is taken as it is.
    Raises `ExpressionError` where a value cannot be computed, `InputError` where it does not fit.
    """
    bound: dict[str, Any] = {item.name: item.default for item in task.fields if item.has_default}
    for name in (task.task_name, task.id):
        given = params.get(name)
        if given is not None and isinstance(given, Mapping):
            bound.update(given)
    for name, path in task.input_from.items():
        bound[name] = path.evaluate(scope)
    for name, value in task.input.items():
        bound[name] = value.render(scope)
    if override:
        bound.update(override)
    return check_input(task.fields, bound) if task.fields else bound


def check_input(fields: Sequence[InputField], values: Mapping[str, Any]) -> dict[str, Any]:
    """`values` with each field made its type; values of no field stay. Raises `InputError`.

    A null counts as not given where the field is not of type `*`: a required one is then missing.
    """
    problems = Problems()
    result = dict(values)
    for item in fields:
        value = values.get(item.name)
        if item.name in values and (value is not None or item.type == "*"):
            result[item.name] = coerced(value, item.type, (item.name,), problems)
        elif item.required:
            problems.add((item.name,), "required", text("This input is required."))
    if problems:
        raise InputError(problems.listed())
    return result


def check_params(flow: CompiledFlow, params: JSON) -> tuple[Problem, ...]:
    """All that the flow's `input_schema` has against the parameters of a start."""
    problems = Problems()
    if not isinstance(params, Mapping):
        problems.add((), "wrong_type", text("Parameters are one JSON object."))
    elif flow.input_schema is not None:
        schemas.violations(params, flow.input_schema, (), problems)
    return problems.listed()


__all__ = ["FIELD_TYPES", "InputError", "bind_input", "check_input", "check_params"]
