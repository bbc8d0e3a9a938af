"""The seed's `input_from`: a singular path of RFC 9535, `$.task_1.result.status`, read over the tasks."""

from __future__ import annotations

import re
from typing import Any, Final

from disttask_project.kernel.json import JSON
from disttask_project.kernel.messages import text
from flows.domain.compiled import ExpressionError, Scope
from flows.domain.expressions import Path, PathExpression

# `-` in a bare name is more than the RFC allows: our task ids may hold it.
_STEP = re.compile(
    r"""\.(?P<name>[^\W\d][\w-]*)|\[\s*(?:"(?P<double>[^"\\]*)"|'(?P<single>[^'\\]*)'|(?P<index>-?\d{1,9}))\s*\]"""
)
READABLE: Final = ("result", "output", "input", "status", "error")


class PathFault(Exception):
    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class TaskPath(PathExpression):
    """The path under `tasks`; a negative index counts from the end of its list, as the RFC has it."""

    __slots__ = ()

    def evaluate(self, scope: Scope) -> JSON:
        if not any(isinstance(step, int) and step < 0 for step in self.path):
            return super().evaluate(scope)
        value: Any = scope
        steps: list[str | int] = []
        for step in self.path:
            if isinstance(step, int) and step < 0 and isinstance(value, list) and -step <= len(value):
                step = len(value) + step  # noqa: PLW2901  the position it means in this list
            elif isinstance(step, int) and step < 0:
                message = text("{path}: there is no {name}", path=self.source, name=step)
                raise ExpressionError(message, code="EXPRESSION_MISSING")
            steps.append(step)
            value = PathExpression(self.source, tuple(steps)).evaluate(scope)
        return value


def parse(source: str) -> Path:
    """The steps after `$`: a task id, a word of `READABLE`, then keys and indexes; raises `PathFault`."""
    if not source.startswith("$"):
        raise PathFault("bad_path", text("A path starts with $, like $.task_1.result.status."))
    steps: list[str | int] = []
    position = 1
    while position < len(source):
        step = _STEP.match(source, position)
        if step is None:
            raise PathFault(
                "bad_path",
                text(
                    "The path cannot be read from column {column} on; it has names and indexes only.",
                    column=position + 1,
                ),
            )
        if step["index"] is not None:
            steps.append(int(step["index"]))
        else:
            steps.append(next(part for part in step.group("name", "double", "single") if part is not None))
        position = step.end()
    if len(steps) < 2 or not isinstance(steps[0], str) or steps[1] not in READABLE:
        raise PathFault(
            "bad_path",
            text("A path names a task and one of {words}, like $.task_1.result.status.", words=", ".join(READABLE)),
        )
    return tuple(steps)


def compile_path(source: str) -> TaskPath:
    """The expression of a path that was checked."""
    return TaskPath(source, ("tasks", *parse(source)))
