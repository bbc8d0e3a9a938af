"""Faults of our own, planted to show that the checker sees them.

Those of the store are switches in it (`World(bugs=...)`); those of the engine replace its functions while a seed runs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import datetime
from typing import Any, Final
from unittest import mock

from execution.domain import planner
from execution.domain.planner import Counts, Decision, Join
from execution.domain.states import InstanceStatus, TaskStatus
from execution.domain.undoing import UndoPlan
from execution.engine import attempts, closing, core, failing, keys, recording, undoing
from execution.engine.change import Change
from execution.engine.events import Acts
from execution.engine.instances import Instances
from execution.engine.journal import Entry, Fate, Journal
from execution.engine.owned import Owned
from execution.engine.state import Act, InstanceState, PlannedCall, TaskState, Unit
from execution.engine.sweeper import Sweeper

SWITCHES: Final = (
    "no_fence_guard",
    "live_leases_ignored",
    "leases_never_end",
    "strikes_not_counted",
    "release_forgets_inbox",
    "fence_stays_at_claim",
)


def _join_of_all_is_any(join: Join, counts: Counts) -> Decision:
    return _decide("any" if join == "all" else join, counts)


def _key_of_every_attempt(state: InstanceState, spec: Any, task: TaskState, scope: Any) -> str:
    return f"{_forward_key(state, spec, task, scope)}:{task.attempt}"


def _undo_key_of_every_attempt(state: InstanceState, spec: Any, task: TaskState) -> str:
    return f"{_errand_key(state, spec, task)}:{task.attempt}"


def _all_undone_at_once(plan: UndoPlan) -> list[str]:
    return sorted(plan.open)


def _first_undone_first(plan: UndoPlan) -> list[str]:
    return [task_id for task_id in plan.flow.tasks if task_id in plan.open][:1]


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


def _every_act_again(self: Instances, owned: Owned, acts: Sequence[Act], inbox: int) -> None:
    if acts:
        self._event(owned, Acts(acts=acts, inbox=inbox))


def _inbox_is_old(self: Sweeper) -> None:
    self._clock.refresh(self._store.now)
    watched = self._sink.watched()
    self._sink.asked(dict(self._store.inboxes(watched)), self._store.open_actions(watched))
    self._swept = 0.0


def _calls_first(self: Instances, owned: Owned, unit: Unit | None, calls: list[PlannedCall]) -> None:
    for call in calls:
        self._leave(owned, call)
    _commit(self, owned, unit, [])


def _found_committed(self: Journal, group: Sequence[Entry]) -> list[Entry]:
    self._settle(group, {}, Fate.COMMITTED)
    return []


def _still_unhealthy(self: Journal, group: Sequence[Entry]) -> list[Entry]:
    """A fault that was ours: with nothing left to write, the driver never claimed again."""
    left = _read_back(self, group)
    self.healthy = False
    return left


def _no_deadline(_change: Change) -> None:
    return


def _open_attempts_forgotten(change: Change, _open_attempts: Sequence[Any]) -> None:
    """Whoever takes over begins again what may be under way."""
    for task in [each for each in change.state.tasks.values() if each.status is TaskStatus.RUNNING]:
        change.task(task.task_id)
        task.status = TaskStatus.PENDING


_commit = Instances._commit
_read_back = Journal._read_back
_decide = planner.decide
_forward_key = keys.forward_key
_errand_key = keys.errand_key
_retry_later = failing._retry_later
_next_wake = core.next_wake
_log = Change.log
_verdict = Change._decide
_record_failure = recording.record_failure

ENGINE: Final[Mapping[str, Sequence[tuple[Any, str, Callable[..., Any]]]]] = {
    "join_of_all_is_any": [(planner, "decide", _join_of_all_is_any)],
    "key_of_every_attempt": [(attempts, "forward_key", _key_of_every_attempt)],
    "undo_key_of_every_attempt": [(attempts, "errand_key", _undo_key_of_every_attempt)],
    "all_undone_at_once": [(UndoPlan, "ready", _all_undone_at_once)],
    "undo_order_reversed": [(UndoPlan, "ready", _first_undone_first)],
    "unknown_is_not_undone": [(undoing, "may_have_effect", _unknown_is_not_undone)],
    "retry_that_spends_nothing": [(failing, "_retry_later", _retry_that_spends_nothing)],
    "pending_never_wakes": [(core, "next_wake", _pending_never_wakes)],
    "log_with_gaps": [(Change, "log", _log_with_gaps)],
    "acts_decided_twice": [
        (Change, "_decide", _decided_twice),
        (Instances, "_feed", _every_act_again),
        (Sweeper, "_sweep", _inbox_is_old),
    ],
    "lost_answer_is_a_refusal": [(attempts, "record_failure", _unknown_is_success)],
    "deadline_forgotten": [(closing, "check_deadline", _no_deadline)],
    "open_attempts_forgotten": [(core, "_give_up_open", _open_attempts_forgotten)],
    "call_before_commit": [(Instances, "_commit", _calls_first)],
    "lost_answer_means_committed": [(Journal, "_read_back", _found_committed)],
    "unhealthy_after_a_lost_answer": [(Journal, "_read_back", _still_unhealthy)],
}
ALL: Final = (*SWITCHES, *ENGINE)


@contextmanager
def planted(name: str) -> Iterator[frozenset[str]]:
    """Plant a fault; gives the switches for `World`."""
    if name in SWITCHES:
        yield frozenset({name})
        return
    with ExitStack() as stack:
        for owner, attribute, faulty in ENGINE[name]:
            stack.enter_context(mock.patch.object(owner, attribute, faulty))
        yield frozenset()
