"""Expressions of a flow: CEL, with plain paths read by ourselves, exactly and in the order of their keys."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cached_property, lru_cache
from typing import Any, Final

from disttask_project.kernel.json import JSON
from disttask_project.kernel.messages import text
from flows.domain import cel, limits, tokens
from flows.domain.compiled import Expression, ExpressionError, Scope

Path = tuple[str | int, ...]

_STEP = re.compile(
    r"""\s*(?:\.\s*(?P<name>[^\W\d]\w*)|\[\s*(?:"(?P<double>[^"\\\n]*)"|'(?P<single>[^'\\\n]*)'|(?P<index>\d{1,9}))\s*\])"""
)
_ROOT = re.compile(r"\s*([A-Za-z_]\w*)")
_DOTTED = re.compile(r"[A-Za-z_]\w*(?:\.[^\W\d]\w*)*")  # most paths are no more than this
_LITERALS: Final = frozenset(("true", "false", "null"))


@lru_cache(maxsize=16384)
def parse_path(source: str) -> Path | None:
    """The steps of a source that is one plain path (`tasks.a.output.items[0].sku`), else None."""
    if _DOTTED.fullmatch(source):
        return tuple(source.split(".")) if source not in _LITERALS else None
    root = _ROOT.match(source)
    if root is None or root[1] in _LITERALS:
        return None
    steps: list[str | int] = [root[1]]
    position = root.end()
    while position < len(source):
        step = _STEP.match(source, position)
        if step is None:
            return tuple(steps) if not source[position:].strip() else None
        if step["index"] is not None:
            steps.append(int(step["index"]))
        else:
            steps.append(next(part for part in step.group("name", "double", "single") if part is not None))
        position = step.end()
    return tuple(steps)


def show_path(path: Sequence[str | int]) -> str:
    """A path as an author writes it."""
    shown = str(path[0])
    for step in path[1:]:
        if isinstance(step, int):
            shown += f"[{step}]"
        else:
            shown += f".{step}" if re.fullmatch(r"[^\W\d]\w*", step) else f'["{step}"]'
    return shown


class PathExpression:
    """A plain path: the value itself, never a copy, never a silent null."""

    __slots__ = ("path", "source")

    def __init__(self, source: str, path: Path) -> None:
        self.source = source
        self.path = path

    def __repr__(self) -> str:
        return f"PathExpression({self.source!r})"

    def evaluate(self, scope: Scope) -> JSON:
        value: Any = scope
        for depth, step in enumerate(self.path):
            if isinstance(step, int):
                # JSON objects have texts as keys, so a number asks for an element of a list and nothing else.
                if isinstance(value, list | tuple) and step < len(value):
                    value = value[step]
                    continue
            # First by the exact class: asking the abstract one costs more than all else here.
            elif (value.__class__ is dict or isinstance(value, Mapping)) and step in value:
                value = value[step]
                continue
            raise _missing(self.path, depth, value)
        return value


def _missing(path: Path, depth: int, value: Any) -> ExpressionError:
    whole, step = show_path(path), path[depth]
    if depth == 0:
        return ExpressionError(
            text("{path}: {name} is not known here", path=whole, name=step), code="EXPRESSION_MISSING"
        )
    above = show_path(path[:depth])
    if isinstance(value, Mapping):
        keys = ", ".join(list(map(str, value))[:10]) or "-"
        message = text(
            "{path}: there is no {name} in {above} (keys: {keys})", path=whole, name=step, above=above, keys=keys
        )
    elif isinstance(value, list | tuple):
        message = text(
            "{path}: there is no {name} in {above}, a list of {size}",
            path=whole,
            name=step,
            above=above,
            size=len(value),
        )
    else:
        message = text(
            "{path}: there is no {name} in {above}, which is {kind}",
            path=whole,
            name=step,
            above=above,
            kind=kind_of(value),
        )
    return ExpressionError(message, code="EXPRESSION_MISSING")


def kind_of(value: Any) -> str:
    """The word of JSON for a value."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    if isinstance(value, str):
        return "string"
    return "array" if isinstance(value, list | tuple) else "object"


class CelExpression:
    """A source that the evaluator computes. Compiled at its first use: a flow of 10,000 tasks loads at once."""

    def __init__(self, source: str) -> None:
        self.source = source

    def __repr__(self) -> str:
        return f"CelExpression({self.source!r})"

    @cached_property
    def _program(self) -> cel.Program:
        return cel.compile_(self.source)

    @cached_property
    def _reading(self) -> tokens.Reading:
        return tokens.read(self.source)

    @cached_property
    def _paths(self) -> tuple[tokens.Path, ...]:
        """The paths to bind, each once, and none that another one begins."""
        paths = {reference.path for reference in self._reading.references}
        return tuple(
            sorted(path for path in paths if not any(path[:length] in paths for length in range(1, len(path))))
        )

    def evaluate(self, scope: Scope) -> JSON:
        try:
            program = self._program
            data = _bound(scope, self._paths)
            limits.admit(self._reading, self.source, data)
            return cel.evaluate(program, data)
        except cel.CompileFailed as error:
            raise ExpressionError(_in_source(self.source, str(error))) from None
        except ExpressionError as error:
            raise ExpressionError(_in_source(self.source, error.args[0]), code=error.code) from None


def _in_source(source: str, reason: str) -> str:
    shown = source if len(source) <= 120 else source[:117] + "..."
    return text("{source}: {reason}", source=shown, reason=reason)


def _bound(scope: Scope, paths: Sequence[tokens.Path]) -> dict[str, Any]:
    """The part of the scope that the paths read: the evaluator copies what it is given, which may be megabytes."""
    data: dict[str, Any] = {}
    for path in paths:
        source: Any = scope
        target = data
        for depth, key in enumerate(path):
            if key not in source:
                break
            value = source[key]
            if depth == len(path) - 1 or not isinstance(value, Mapping):
                target[key] = dict(value) if isinstance(value, Mapping) and type(value) is not dict else value
                break
            target = target.setdefault(key, {})
            source = value
    return data


class Condition:
    """An expression whose value must be true or false."""

    __slots__ = ("_inner", "source")

    def __init__(self, inner: Expression) -> None:
        self._inner = inner
        self.source = inner.source

    def __repr__(self) -> str:
        return f"Condition({self.source!r})"

    def evaluate(self, scope: Scope) -> bool:
        value = self._inner.evaluate(scope)
        if not isinstance(value, bool):
            reason = text("must be true or false, but is {kind}", kind=kind_of(value))
            raise ExpressionError(_in_source(self.source, reason), code="EXPRESSION_TYPE")
        return value


def expression(source: str) -> Expression:
    """The expression of a source; a wrong one says so when it is checked (`scopes.faults_of`) or evaluated."""
    path = parse_path(source)
    return CelExpression(source) if path is None else PathExpression(source, path)


def condition(source: str) -> Condition:
    return Condition(expression(source))
