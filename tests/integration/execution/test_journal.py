"""The journal's groups and error rules, over a real store that fails as told (architecture 4.5)."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connections

from execution.domain.outcome import Result
from execution.engine.journal import Fate, Journal, Then
from execution.engine.settings import EngineSettings
from execution.engine.state import LogRow, Unit
from execution.models import Attempt, Instance, Task
from execution.stores.base import StoreUnavailable
from tests.fakes.flows import flow, task
from tests.integration.execution.kit import Bench, wait_for

ONE = flow("f", task("a"))


class Unruly:
    """The bench's store, with faults in front of or behind its commits."""

    def __init__(self, bench: Bench) -> None:
        self._store = bench.store
        self.before: list[Exception] = []
        self.after: list[Exception] = []
        self.gate = threading.Event()
        self.gate.set()
        self.groups: list[int] = []
        self.positions: Callable[[Any], Any] = bench.store.positions

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def apply(self, units: Sequence[Unit]) -> set[str]:
        self.gate.wait(10)
        if self.before:
            raise self.before.pop(0)
        lost = self._store.apply(units)
        self.groups.append(len(units))
        if self.after:
            raise self.after.pop(0)
        return lost


class Told:
    """Fates as they were delivered, by what was submitted."""

    def __init__(self) -> None:
        self.fates: dict[str, Fate] = {}
        self.batches = 0

    def deliver(self, told: Sequence[tuple[Then, Fate]]) -> None:
        self.batches += 1
        for then, fate in told:
            then(fate)

    def then(self, name: str) -> Callable[[Fate], None]:
        def note(fate: Fate) -> None:
            self.fates[name] = fate

        return note


@contextmanager
def running(store: Unruly, told: Told, **settings: Any) -> Iterator[Journal]:
    journal = Journal(store, EngineSettings(backoff_first=0.01, **settings), told.deliver)
    journal.start()
    try:
        yield journal
    finally:
        store.gate.set()
        assert journal.stop(10)
        connections.close_all()


def units_of(bench: Bench, count: int) -> list[Unit]:
    bench.insert(ONE, count)
    return [bench.start(each.state, "a") for each in bench.store.load(bench.claim())]


def test_what_gathers_during_a_commit_is_one_group(bench: Bench) -> None:
    store, told = Unruly(bench), Told()
    units = units_of(bench, 6)
    with running(store, told) as journal:
        store.gate.clear()
        journal.submit(units[0], told.then("0"))
        wait_for(lambda: not journal._pending)
        for number, unit in enumerate(units[1:], 1):
            journal.submit(unit, told.then(str(number)))
        store.gate.set()
        wait_for(lambda: len(told.fates) == 6)
    assert store.groups == [1, 5]
    assert told.batches == 2
    assert set(told.fates.values()) == {Fate.COMMITTED}


def test_units_of_one_instance_fold_to_one_image(bench: Bench) -> None:
    store, told = Unruly(bench), Told()
    bench.insert(ONE)
    state = bench.load().state
    with running(store, told) as journal:
        store.gate.clear()
        journal.submit(bench.start(state, "a"), told.then("start"))
        journal.submit(bench.end(state, "a", Result(value=1)), told.then("end"))
        store.gate.set()
        wait_for(lambda: len(told.fates) == 2)
    assert set(told.fates.values()) == {Fate.COMMITTED}
    assert Instance.objects.get().status == "success"
    assert Attempt.objects.get().status == "success"


def test_a_group_holds_no_more_than_its_limits(bench: Bench) -> None:
    store, told = Unruly(bench), Told()
    units = units_of(bench, 7)
    with running(store, told, group_records=3) as journal:
        store.gate.clear()
        for number, unit in enumerate(units):
            journal.submit(unit, told.then(str(number)))
        store.gate.set()
        wait_for(lambda: len(told.fates) == 7)
    assert max(store.groups) == 3


def test_a_passing_fault_is_tried_again_with_the_same_group(bench: Bench) -> None:
    store, told = Unruly(bench), Told()
    store.before = [StoreUnavailable("away"), StoreUnavailable("still")]
    (unit,) = units_of(bench, 1)
    with running(store, told) as journal:
        journal.submit(unit, told.then("x"))
        wait_for(lambda: told.fates)
        assert journal.healthy
    assert told.fates == {"x": Fate.COMMITTED}
    assert store.groups == [1]


def test_it_is_unhealthy_while_the_store_is_away(bench: Bench) -> None:
    store, told = Unruly(bench), Told()
    store.before = [StoreUnavailable("away")] * 5
    (unit,) = units_of(bench, 1)
    with running(store, told) as journal:
        journal.submit(unit, told.then("x"))
        wait_for(lambda: not journal.healthy)
        wait_for(lambda: journal.healthy)
    assert told.fates == {"x": Fate.COMMITTED}


def test_one_bad_record_stands_alone_and_the_rest_commits(bench: Bench) -> None:
    store, told = Unruly(bench), Told()
    units = units_of(bench, 9)
    bad = units[4]
    seq = bad.logs[0].seq
    bad.logs.append(LogRow(seq=seq, task_id="", action="x", message="", details=None, at=bad.logs[0].at))
    with running(store, told) as journal:
        store.gate.clear()
        for unit in units:
            journal.submit(unit, told.then(unit.instance_id))
        store.gate.set()
        wait_for(lambda: len(told.fates) == 9)
    assert told.fates.pop(bad.instance_id) is Fate.REFUSED
    assert set(told.fates.values()) == {Fate.COMMITTED}
    assert Task.objects.count() == 8


def test_a_lost_fence_drops_that_instance_alone(bench: Bench) -> None:
    store, told = Unruly(bench), Told()
    first, second = units_of(bench, 2)
    Instance.objects.filter(pk=first.instance_id).update(fence=5)
    with running(store, told) as journal:
        store.gate.clear()
        journal.submit(first, told.then("first"))
        journal.submit(second, told.then("second"))
        store.gate.set()
        wait_for(lambda: len(told.fates) == 2)
    assert told.fates == {"first": Fate.LOST, "second": Fate.COMMITTED}


def test_a_commit_whose_answer_was_lost_is_found_to_have_happened(bench: Bench) -> None:
    store, told = Unruly(bench), Told()
    store.after = [StoreUnavailable("answer lost", commit_sent=True)]
    units = units_of(bench, 3)
    with running(store, told) as journal:
        store.gate.clear()
        for unit in units:
            journal.submit(unit, told.then(unit.instance_id))
        store.gate.set()
        wait_for(lambda: len(told.fates) == 3)
        wait_for(lambda: journal.healthy)  # though nothing more is written: else this driver never claims again
    assert set(told.fates.values()) == {Fate.COMMITTED}
    assert store.groups == [3]
    assert Attempt.objects.count() == 3


def test_a_commit_that_did_not_happen_is_made_again(bench: Bench) -> None:
    store, told = Unruly(bench), Told()
    store.before = [StoreUnavailable("cut before it arrived", commit_sent=True)]
    (unit,) = units_of(bench, 1)
    with running(store, told) as journal:
        journal.submit(unit, told.then("x"))
        wait_for(lambda: told.fates)
    assert told.fates == {"x": Fate.COMMITTED}
    assert store.groups == [1]


def test_a_commit_that_another_owner_overtook_is_lost(bench: Bench) -> None:
    store, told = Unruly(bench), Told()
    (unit,) = units_of(bench, 1)
    store.after = [StoreUnavailable("answer lost", commit_sent=True)]
    positions = store.positions

    def overtaken(ids: Any) -> Any:
        Instance.objects.update(fence=2)
        return positions(ids)

    store.positions = overtaken
    with running(store, told) as journal:
        journal.submit(unit, told.then("x"))
        wait_for(lambda: told.fates)
    assert told.fates == {"x": Fate.LOST}


@pytest.mark.parametrize("pending", [0, 3])
def test_stopping_writes_what_is_pending(bench: Bench, pending: int) -> None:
    store, told = Unruly(bench), Told()
    units = units_of(bench, 3)[:pending]
    with running(store, told) as journal:
        for unit in units:
            journal.submit(unit, told.then(unit.instance_id))
    assert len(told.fates) == pending
