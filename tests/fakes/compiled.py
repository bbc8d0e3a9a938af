"""Compiled flows made by hand: the engine's tests need no parser, and expressions are plain functions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from disttask_project.kernel.json import JSON
from flows.domain.compiled import (
    CompiledFlow,
    CompiledTask,
    ExpressionError,
    Jitter,
    Kind,
    OnFailure,
    RetryPolicy,
    Scope,
    Strategy,
)
from flows.domain.errands import errand_id

AUTO = RetryPolicy(strategy=Strategy.AUTO, max_attempts=2, interval=10)
# A check is asked three times, ten seconds apart.
ASKED = RetryPolicy(
    strategy=Strategy.AUTO, max_attempts=3, interval=10, backoff_rate=1.0, max_interval=10, jitter=Jitter.NONE
)
MANUAL = RetryPolicy(strategy=Strategy.MANUAL)
NEVER = RetryPolicy(strategy=Strategy.NO_RETRY)


class Says:
    """An expression that is a function of the scope; a missing key is an expression's error, as in CEL."""

    source = "<function>"

    def __init__(self, function: Callable[[Scope], JSON]) -> None:
        self._function = function

    def evaluate(self, scope: Scope) -> JSON:
        try:
            return self._function(scope)
        except (KeyError, TypeError) as error:
            raise ExpressionError(f"no such path: {error}", code="NO_SUCH_PATH") from error


class Gives:
    """A template: a constant, or a function of the scope."""

    def __init__(self, source: Any) -> None:
        self.source = source
        self.is_constant = not callable(source)

    def render(self, scope: Scope) -> JSON:
        return Says(self.source).evaluate(scope) if callable(self.source) else self.source


def make_task(task_id: str, *, after: Iterable[str] = (), **options: Any) -> CompiledTask:
    """A task; `input`, `input_from`, `config`, `output` and `idempotency_key` are given plain.

    So are `undo` and `check`: the options of an errand.
    """
    for name, kind in (("undo", Kind.UNDO), ("check", Kind.CHECK)):
        if name in options:
            options[name] = make_errand(task_id, kind, **options.pop(name))
    fixed: dict[str, Any] = {"name": task_id, "task_name": "noop", "type": "noop", "retry": MANUAL}
    fixed["config"] = Gives(options.pop("config", {}))
    fixed["input"] = {name: Gives(value) for name, value in options.pop("input", {}).items()}
    for name in ("output", "idempotency_key"):
        if name in options:
            fixed[name] = Gives(options.pop(name))
    for name in ("when", "success_when", "unknown_when", "failed_when", "error_code", "error_message"):
        if name in options:
            fixed[name] = Says(options.pop(name))
    return CompiledTask(id=task_id, depends_on=tuple(after), **{**fixed, **options})


def make_errand(task_id: str, kind: Kind, **options: Any) -> CompiledTask:
    """The undo or the check of a task. Without an `input` it is given the task's own."""
    named = {"kind": kind, "of": task_id, "name": task_id, "inherits_input": "input" not in options}
    if kind is Kind.UNDO:
        named["retry"] = AUTO
    return make_task(errand_id(task_id, kind), **{**named, **options})


def make_flow(
    tasks: Mapping[str, Mapping[str, Any]],
    *,
    on_failure: OnFailure = OnFailure.HOLD,
    output: Mapping[str, Any] | None = None,
    **options: Any,
) -> CompiledFlow:
    """A flow of `{id: options}` in topological order; `on_failure` holds for tasks that do not say their own."""
    made = {
        task_id: make_task(task_id, **{"on_failure": on_failure, **task_options})
        for task_id, task_options in tasks.items()
    }
    dependents = {
        task_id: tuple(other.id for other in made.values() if task_id in other.depends_on) for task_id in made
    }
    templates = None if output is None else {name: Gives(value) for name, value in output.items()}
    return CompiledFlow(
        name="flow", tasks=made, dependents=dependents, on_failure=on_failure, output=templates, **options
    )
