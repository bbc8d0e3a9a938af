"""The failure matrix as this app's command asks for it: whoever runs flows says how it is played."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from flows.domain.compiled import CompiledFlow

Matrix = Callable[[CompiledFlow, bool], Mapping[str, Any]]


def _none(_flow: CompiledFlow, _play: bool) -> Mapping[str, Any]:
    return {}


_matrix: Matrix = _none


def join(matrix: Matrix) -> None:
    """Called once at start-up."""
    global _matrix  # noqa: PLW0603  one app runs flows
    _matrix = matrix


def failure_matrix(flow: CompiledFlow, *, play: bool) -> Mapping[str, Any]:
    return _matrix(flow, play)


def lines_of(matrix: Mapping[str, Any]) -> Iterator[str]:
    """The matrix as text, a line a failure."""
    for key, words in (("no_undo", "no undo"), ("no_key", "may be repeated, and the target cannot tell")):
        if matrix[key]:
            yield f"{words}: {_some(matrix[key])}"
    for drill in matrix["drills"]:
        parts = [f"{drill['task_id']} {drill['outcome']}: {drill['status']}"]
        parts += ["needs a person"] if drill["waits_for"] else []
        parts += [f"ran {_some(drill['ran'])}"] if drill["ran"] else []
        steps = ["+".join(step[:10]) for step in drill["undone"]]
        parts += [f"undone {_some(steps, ' > ')}"] if steps else []
        parts += [f"nothing to undo: {_some(drill['nothing_to_undo'])}"] if drill["nothing_to_undo"] else []
        parts += [f"repeated unseen: {_some(drill['repeated'])}"] if drill["repeated"] else []
        yield "; ".join(parts)
    yield f"{matrix['played']} of {matrix['tasks']} tasks played"


def _some(names: list[str], between: str = ", ") -> str:
    return between.join(names[:20]) + (f" ... ({len(names)})" if len(names) > 20 else "")
