"""Declaring functions of ours to the evaluator."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from cel_expr_python import cel

Overload = tuple[Callable[..., Any], Any, Sequence[Any]]  # implementation, result type, parameter types


def member(name: str, *overloads: Overload) -> Any:
    """A method: `value.name(...)`."""
    return _declare(name, overloads, is_member=True)


def function(name: str, *overloads: Overload) -> Any:
    """A function: `name(...)`, or an operator under its inner name (`_+_`)."""
    return _declare(name, overloads, is_member=False)


def _declare(name: str, overloads: Sequence[Overload], *, is_member: bool) -> Any:
    return cel.FunctionDecl(
        name,
        [
            cel.Overload(
                f"disttask_{name}_{number}", result, list(parameters), is_member=is_member, impl=implementation
            )
            for number, (implementation, result, parameters) in enumerate(overloads)
        ],
    )
