"""Errands of a task: its undo and its check. Each has an id of its own beside the task's, which no author can take."""

from __future__ import annotations

from typing import Final

from flows.domain.compiled import Kind

# A `.` cannot stand in a task id, so these never meet one.
_ENDINGS: Final = {Kind.UNDO: ".undo", Kind.CHECK: ".check"}


def errand_id(task_id: str, kind: Kind) -> str:
    """`deduct.undo`, `deduct.check`."""
    return task_id + _ENDINGS[kind]


def kind_of(task_id: str) -> Kind:
    """What an id stands for, told from the id alone."""
    return next((kind for kind, ending in _ENDINGS.items() if task_id.endswith(ending)), Kind.FORWARD)


def task_of(task_id: str) -> str:
    """The task that an id belongs to: `deduct` of `deduct.undo`."""
    kind = kind_of(task_id)
    return task_id if kind is Kind.FORWARD else task_id.removesuffix(_ENDINGS[kind])
