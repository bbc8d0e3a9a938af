"""Gathering all that is wrong with an input, so that its author mends it in one go."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from disttask_project.kernel.errors import Problem
from disttask_project.kernel.messages import text

Loc = tuple[str | int, ...]

MAX_PROBLEMS: Final = 500  # beyond that nobody reads on, and a hostile document would make us write a book


class Problems:
    """A list that problems are added to, in the order they are found; what exceeds the limit is counted."""

    def __init__(self, limit: int = MAX_PROBLEMS) -> None:
        self._found: list[Problem] = []
        self._limit = limit
        self._left_out = 0

    def add(self, loc: Iterable[str | int], code: str, template: str, /, **values: Any) -> None:
        """Note that `loc` is wrong; `template` is marked for translation by the caller's `text(...)`."""
        if len(self._found) >= self._limit:
            self._left_out += 1
            return
        message = template if not values else text(template, **values)
        self._found.append(Problem(loc=tuple(loc), code=code, message=message))

    def take(self, problem: Problem, *, under: Loc = ()) -> None:
        """Note a problem found by somebody else, whose `loc` is relative to `under`."""
        if len(self._found) >= self._limit:
            self._left_out += 1
            return
        self._found.append(Problem(loc=(*under, *problem.loc), code=problem.code, message=problem.message))

    def __bool__(self) -> bool:
        return bool(self._found)

    def __len__(self) -> int:
        return len(self._found) + self._left_out

    def listed(self) -> tuple[Problem, ...]:
        """All of them; past the limit one more says how many were left out."""
        if not self._left_out:
            return tuple(self._found)
        message = text("{count} more problems are not listed.", count=self._left_out)
        return (*self._found, Problem(loc=(), code="too_many_problems", message=message))
