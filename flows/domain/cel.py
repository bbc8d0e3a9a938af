"""The port to the evaluator of CEL: `compile_` and `evaluate`, and no other word of its library elsewhere.

Its errors are values: here they become `ExpressionError`. Its limits (depth 32, an iteration budget of about
10,000) hold; what it does not limit, growth of values, is bounded before it starts.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache, lru_cache
from math import isfinite
from typing import Any, Final

from cel_expr_python import cel
from cel_expr_python.ext import ext_optional

from disttask_project.kernel.json import INT_MAX, JSON
from disttask_project.kernel.messages import text
from flows.domain import celnumbers, celstrings
from flows.domain.allowance import OVERSPENT
from flows.domain.celdisplay import rfc3339, seconds_text
from flows.domain.compiled import ExpressionError

ROOTS: Final = ("params", "input", "tasks", "instance", "task", "result", "error")
MAX_SOURCE: Final = 4096
# Each writes what it is called on twice into the program: 25 in a chain would take gigabytes to compile.
MAX_DOUBLINGS: Final = 4
_DOUBLING = re.compile(r"\bopt(?:Flat)?Map\b")
MAX_OUTPUT: Final = 16 * 2**20  # characters and values of one answer


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a source. `line` and `column` count from 1; 0 where the evaluator does not say."""

    line: int
    column: int
    message: str
    name: str = ""  # the word that is not known, where that is the fault


class CompileFailed(Exception):
    def __init__(self, faults: tuple[Fault, ...]) -> None:
        super().__init__("; ".join(fault.message for fault in faults))
        self.faults = faults


@dataclass(frozen=True, slots=True)
class Program:
    """A compiled source. `type_name` is `BOOL`, `INT`, ...; `DYN` where only the values will tell."""

    source: str
    type_name: str
    handle: Any


@cache
def _environment() -> Any:
    functions = cel.CelExtension("disttask", [*celstrings.declarations(), *celnumbers.declarations()])
    return cel.NewEnv(
        celnumbers.POOL,
        variables=dict.fromkeys(ROOTS, cel.Type.DYN),
        extensions=[ext_optional.ExtOptional(), functions],
    )


@lru_cache(maxsize=8192)
def compile_(source: str) -> Program:
    """Compile a source; raises `CompileFailed`."""
    if len(source) > MAX_SOURCE:
        raise CompileFailed((Fault(0, 0, text("it is longer than {most} characters", most=MAX_SOURCE)),))
    if len(_DOUBLING.findall(source)) > MAX_DOUBLINGS:
        raise CompileFailed((Fault(0, 0, text("it has more than {most} optMap and optFlatMap", most=MAX_DOUBLINGS)),))
    try:
        handle = _environment().compile(source)
    except TypeError:  # a lone surrogate: no text for C++
        raise CompileFailed((Fault(0, 0, text("it is not text")),)) from None
    except RuntimeError as error:
        raise CompileFailed(_faults(str(error))) from None
    return Program(source, str(handle.return_type().name()), handle)


def evaluate(program: Program, data: Mapping[str, Any]) -> JSON:
    """The value of a program as plain JSON; raises `ExpressionError`."""
    try:
        value = program.handle.eval(data=data)
        return _plain(value, _Budget())
    except (RuntimeError, SystemError, TypeError, ValueError, MemoryError) as error:
        raise _run_error(str(error)) from None


class _Budget:
    __slots__ = ("left",)

    def __init__(self) -> None:
        self.left = MAX_OUTPUT

    def spend(self, size: int) -> None:
        self.left -= size
        if self.left < 0:
            raise ExpressionError(text("the value is too large"), code="EXPRESSION_BUDGET")


def _plain(value: Any, budget: _Budget) -> JSON:
    """Plain JSON of the evaluator's value; keys sorted, as the evaluator keeps no order and answers must not vary."""
    kind = value.type().name()
    if kind == "ERROR":
        raise _run_error(str(value.value()))
    if kind.startswith("OPTIONAL"):
        raise ExpressionError(text("the value is optional: say .orValue(...) or .value()"), code="EXPRESSION_TYPE")
    raw = value.value()
    if isinstance(raw, list):
        budget.spend(len(raw) + 1)
        return [_plain(item, budget) for item in raw]
    if isinstance(raw, dict):
        budget.spend(len(raw) + 1)
        if not all(isinstance(key, str) for key in raw):
            raise ExpressionError(text("an object of JSON has texts as keys"), code="EXPRESSION_TYPE")
        return {key: _plain(raw[key], budget) for key in sorted(raw)}
    return _scalar(raw, budget)


def _scalar(raw: Any, budget: _Budget) -> JSON:
    if isinstance(raw, str):
        budget.spend(len(raw))
        return raw
    if raw is None or isinstance(raw, bool):
        return raw
    if isinstance(raw, int):
        if raw > INT_MAX:
            raise ExpressionError(text("{number} is beyond 64 bits", number=raw), code="EXPRESSION_TYPE")
        return raw
    if isinstance(raw, float):
        if not isfinite(raw):
            raise ExpressionError(text("{number} is no number of JSON", number=raw), code="EXPRESSION_TYPE")
        return raw
    if isinstance(raw, datetime):
        return rfc3339(raw)
    if isinstance(raw, timedelta):
        return seconds_text(raw)
    if celnumbers.is_decimal(raw):
        return str(raw.value)
    raise ExpressionError(text("the value has no form in JSON"), code="EXPRESSION_TYPE")


_POSITION = re.compile(r"ERROR: <input>:(-?\d+):(-?\d+): ([^\n]*)")
_UNDECLARED = re.compile(r"undeclared reference to '([^']*)'")
_OVERLOAD = re.compile(r"found no matching overload for '([^']*)' applied to '(.*)'$")
_OPERATOR = re.compile(r"^@?!?_?([^_@]+)_?$")
_DEPTH = re.compile(r"recursion (limit|depth)")


def _faults(report: str) -> tuple[Fault, ...]:
    found: dict[Fault, None] = {}
    for line, column, reason in _POSITION.findall(report):
        undeclared = _UNDECLARED.search(reason)
        name = undeclared[1] if undeclared else ""
        found[Fault(max(int(line), 0), max(int(column), 0), _explained(reason), name)] = None
    if not found:
        found[Fault(0, 0, _explained(report.split(" [", maxsplit=1)[0]))] = None
    return tuple(found)


def _explained(reason: str) -> str:
    if _DEPTH.search(reason):
        return text("it is nested too deeply (32 levels at most)")
    undeclared = _UNDECLARED.search(reason)
    if undeclared:
        return text("{name} is not known", name=undeclared[1])
    overload = _OVERLOAD.search(reason)
    if overload:
        return _no_overload(overload[1], overload[2])
    return text("{reason}", reason=reason.removeprefix("Syntax error: ").removesuffix(" [INVALID_ARGUMENT]"))


def _no_overload(name: str, types: str) -> str:
    sign = _OPERATOR.match(name)
    shown = sign[1] if sign else name
    types = types.strip("()")
    if "int" in types and "double" in types:
        return text(
            "{operator} cannot take {types}; make them alike with double(...) or int(...)", operator=shown, types=types
        )
    return text("{operator} cannot take {types}", operator=shown, types=types)


_NO_KEY = re.compile(r'Key not found in map : "?(.*?)"?$')
_RUN_OVERLOAD = re.compile(r"No matching overloads found : (\S+?)(?:\((.*)\))?$")


def _run_error(report: str) -> ExpressionError:
    reason = re.sub(r"^[A-Z_]+: ", "", re.sub(r" \[[A-Z_]+\]$", "", report))
    if "Iteration budget" in reason:
        return ExpressionError(text("it takes too many steps"), code="EXPRESSION_BUDGET")
    if OVERSPENT in reason:
        return ExpressionError(text("it makes too much text"), code="EXPRESSION_BUDGET")
    key = _NO_KEY.search(reason)
    if key:
        return ExpressionError(text("there is no {key}", key=key[1]), code="EXPRESSION_MISSING")
    if "Unable to convert function return value" in reason or "with an exception set" in reason:
        return ExpressionError(text("the value is optional: say .orValue(...) or .value()"), code="EXPRESSION_TYPE")
    overload = _RUN_OVERLOAD.search(reason)
    if overload:
        return ExpressionError(_no_overload(overload[1], overload[2] or ""), code="EXPRESSION_TYPE")
    return ExpressionError(text("{reason}", reason=reason[:500]))
