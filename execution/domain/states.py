"""States of instance and task: one enum and one transition table each (flow-definition 8).

`check` is called by the core for every change; a change outside the table is a bug of ours, never of a user.
States that later work brings (`waiting`) are in the enums so that readers know the words; their transitions come with
the work. An undo and a check have states of their own, of the same table (`deduct.undo`, `deduct.check`).
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class InstanceStatus(StrEnum):
    PENDING = "pending"
    RUNNING = "running"
    SUCCESS = "success"
    FAILED = "failed"
    PAUSED = "paused"
    COMPENSATING = "compensating"
    COMPENSATED = "compensated"
    CANCELLED = "cancelled"

    @property
    def is_terminal(self) -> bool:
        """No transition leads out. `failed` is not: under `hold` a person may take it up again until it is closed."""
        return self in _INSTANCE_TERMINAL


class TaskStatus(StrEnum):
    PENDING = "pending"
    RUNNING = "running"
    SUCCESS = "success"
    FAILED = "failed"
    RETRYING = "retrying"
    WAITING = "waiting"
    SKIPPED = "skipped"
    UNKNOWN = "unknown"
    CANCELLED = "cancelled"
    COMPENSATING = "compensating"
    COMPENSATED = "compensated"

    @property
    def has_ended(self) -> bool:
        """Nothing more happens to it by itself."""
        return self in _TASK_ENDED


class SkipReason(StrEnum):
    CONDITION = "condition"
    BRANCH = "branch"
    OPERATOR = "operator"
    MARKED = "marked"  # a success that a person stated


class IllegalTransition(Exception):
    """A status change outside the table."""


_I = InstanceStatus
_T = TaskStatus
_INSTANCE_TERMINAL: Final = frozenset({_I.SUCCESS, _I.CANCELLED, _I.COMPENSATED})
_TASK_ENDED: Final = frozenset({_T.SUCCESS, _T.FAILED, _T.SKIPPED, _T.CANCELLED, _T.COMPENSATED})

INSTANCE_TRANSITIONS: Final[Mapping[InstanceStatus, frozenset[InstanceStatus]]] = {
    _I.PENDING: frozenset({_I.RUNNING, _I.PAUSED, _I.CANCELLED, _I.FAILED}),
    _I.RUNNING: frozenset({_I.SUCCESS, _I.FAILED, _I.PAUSED, _I.CANCELLED, _I.COMPENSATING}),
    _I.FAILED: frozenset({_I.RUNNING, _I.CANCELLED, _I.COMPENSATING}),
    _I.PAUSED: frozenset({_I.PENDING, _I.RUNNING, _I.FAILED, _I.CANCELLED, _I.COMPENSATING}),
    _I.SUCCESS: frozenset(),
    _I.CANCELLED: frozenset(),
    # compensating -> failed: a person had only a part undone, and decides about the rest.
    _I.COMPENSATING: frozenset({_I.COMPENSATED, _I.FAILED, _I.PAUSED}),
    _I.COMPENSATED: frozenset(),
}

TASK_TRANSITIONS: Final[Mapping[TaskStatus, frozenset[TaskStatus]]] = {
    # pending -> failed: its join became unreachable; -> success, skipped: a person said so before it ran;
    # -> retrying: a check waits for the time to ask.
    _T.PENDING: frozenset({_T.RUNNING, _T.RETRYING, _T.SKIPPED, _T.FAILED, _T.CANCELLED, _T.SUCCESS}),
    _T.RUNNING: frozenset({_T.SUCCESS, _T.FAILED, _T.RETRYING, _T.UNKNOWN, _T.CANCELLED}),
    # retrying -> unknown, compensating: the instance is being undone, and an earlier attempt may have had an effect.
    _T.RETRYING: frozenset(
        {
            *(_T.RUNNING, _T.PENDING, _T.FAILED, _T.SKIPPED, _T.SUCCESS, _T.CANCELLED),
            *(_T.UNKNOWN, _T.COMPENSATING),
        }
    ),
    # unknown -> retrying | failed: the rule of `on_unknown`; -> success: its check, or a person, found out.
    _T.UNKNOWN: frozenset({_T.RETRYING, _T.FAILED, _T.SUCCESS, _T.SKIPPED, _T.CANCELLED, _T.COMPENSATING}),
    # failed -> running, retrying: a person's retry; -> pending: what made its join unreachable is being retried;
    # -> unknown: a person has its check asked once more.
    _T.FAILED: frozenset(
        {
            *(_T.RUNNING, _T.RETRYING, _T.PENDING, _T.UNKNOWN, _T.SKIPPED, _T.SUCCESS, _T.CANCELLED),
            _T.COMPENSATING,
        }
    ),
    # success, skipped, compensated -> pending: a person runs it again from here.
    _T.SUCCESS: frozenset({_T.COMPENSATING, _T.PENDING}),
    _T.SKIPPED: frozenset({_T.PENDING}),
    # cancelled -> compensating: it was left out of a part that was undone, and nobody knows whether it took effect.
    _T.CANCELLED: frozenset({_T.PENDING, _T.COMPENSATING}),
    _T.WAITING: frozenset(),
    # compensating -> success, failed: a person left its effect in place.
    _T.COMPENSATING: frozenset({_T.COMPENSATED, _T.SUCCESS, _T.FAILED}),
    _T.COMPENSATED: frozenset({_T.PENDING}),
}


def check_instance(old: InstanceStatus, new: InstanceStatus) -> None:
    """Raise `IllegalTransition` unless the table allows it."""
    if new not in INSTANCE_TRANSITIONS[old]:
        raise IllegalTransition(f"instance: {old} -> {new}")


def check_task(old: TaskStatus, new: TaskStatus) -> None:
    """Raise `IllegalTransition` unless the table allows it."""
    if new not in TASK_TRANSITIONS[old]:
        raise IllegalTransition(f"task: {old} -> {new}")
