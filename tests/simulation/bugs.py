"""Faults of our own, planted to show that the checker sees them.

Those of store and driver are switches in them (`World(bugs=...)`); those of the core replace one of its functions
while a seed runs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from typing import Any, Final
from unittest import mock

from execution.domain import planner
from execution.domain.planner import Counts, Decision, Join
from execution.domain.states import InstanceStatus, TaskStatus
from execution.domain.undoing import UndoPlan
from execution.engine import attempts, core, failing, keys, recording, undoing
from execution.engine.change import Change
from execution.engine.state import Act, InstanceState, TaskState

SWITCHES: Final = (
    "no_fence_guard",
    "live_leases_ignored",
    "leases_never_end",
    "strikes_not_counted",
    "release_forgets_inbox",
    "call_before_commit",
    "lost_answer_means_committed",
)


def _join_of_all_is_any(join: Join, counts: Counts) -> Decision:
    return _decide("any" if join == "all" else join, counts)


def _key_of_every_attempt(state: InstanceState, spec: Any, task: TaskState, scope: Any) -> str:
    return f"{_forward_key(state, spec, task, scope)}:{task.attempt}"


def _undo_key_of_every_attempt(state: InstanceState, spec: Any, task: TaskState) -> str:
    return f"{_errand_key(state, spec, task)}:{task.attempt}"


def _all_undone_at_once(plan: UndoPlan) -> list[str]:
    return list(plan.open)


def _unknown_is_not_undone(task: TaskState) -> bool:
    return task.status is TaskStatus.SUCCESS


def _retry_that_spends_nothing(change: Change, task: TaskState, at: datetime, *, code: str) -> None:
    _retry_later(change, task, at, code=code)
    task.retries -= 1


def _pending_never_wakes(state: InstanceState, now: datetime) -> datetime | None:
    return None if state.status is InstanceStatus.PENDING else _next_wake(state, now)


def _log_with_gaps(self: Change, action: str, *rest: Any, **details: Any) -> None:
    _log(self, action, *rest, **details)
    if action == "retry":
        self.state.seq += 1


def _decided_twice(self: Change, act: Act, **verdict: Any) -> None:
    _verdict(self, act, **verdict)
    self.state.decided.clear()


def _unknown_is_success(change: Change, task: TaskState, failure: Any, **rest: Any) -> None:
    """A lost answer is taken for a refusal, so the attempt does not say that it may have been applied."""
    _record_failure(change, task, replace(failure, sort="refused_now"), **rest)


_decide = planner.decide
_forward_key = keys.forward_key
_errand_key = keys.errand_key
_retry_later = failing._retry_later
_next_wake = core.next_wake
_log = Change.log
_verdict = Change._decide
_record_failure = recording.record_failure

CORE: Final[Mapping[str, tuple[Any, str, Callable[..., Any]]]] = {
    "join_of_all_is_any": (planner, "decide", _join_of_all_is_any),
    "key_of_every_attempt": (attempts, "forward_key", _key_of_every_attempt),
    "undo_key_of_every_attempt": (attempts, "errand_key", _undo_key_of_every_attempt),
    "all_undone_at_once": (UndoPlan, "ready", _all_undone_at_once),
    "unknown_is_not_undone": (undoing, "may_have_effect", _unknown_is_not_undone),
    "retry_that_spends_nothing": (failing, "_retry_later", _retry_that_spends_nothing),
    "pending_never_wakes": (core, "next_wake", _pending_never_wakes),
    "log_with_gaps": (Change, "log", _log_with_gaps),
    "acts_decided_twice": (Change, "_decide", _decided_twice),
    "lost_answer_is_a_refusal": (attempts, "record_failure", _unknown_is_success),
}
ALL: Final = (*SWITCHES, *CORE)


@contextmanager
def planted(name: str) -> Iterator[frozenset[str]]:
    """Plant a fault; gives the switches for `World`."""
    if name in SWITCHES:
        yield frozenset({name})
        return
    owner, attribute, faulty = CORE[name]
    with mock.patch.object(owner, attribute, faulty):
        yield frozenset()
