"""A target with a ledger: wherever a saga fails, and whenever its worker dies, it ends undone and balanced."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from execution.domain.outcome import Outcome
from execution.domain.states import InstanceStatus
from execution.engine import core
from execution.engine.state import PlannedCall
from flows.domain.compiled import CompiledFlow, OnFailure
from tests.fakes.compiled import AUTO, make_flow
from tests.unit.execution.desk import BUSY, LOST, NO, OK, Desk

TWELVE = {
    "order": [],
    "stock": ["order"],
    "coupon": ["order"],
    "points": ["order"],
    "pay": ["stock", "coupon", "points"],
    "invoice": ["pay"],
    "pick": ["pay"],
    "pack": ["pick"],
    "label": ["pick"],
    "ship": ["pack", "label"],
    "mail": ["invoice", "ship"],
    "close": ["mail"],
}


class Ledger:
    """Keeps what each task has done and what was undone of it, once a key; it fails one task for good."""

    def __init__(self, failing: str, seed: int = 0, *, sour: float = 0.0) -> None:
        self.done: Counter[str] = Counter()
        self.undone: list[str] = []
        self._failing = failing
        self._keys: set[str] = set()
        self._sour = sour
        self._random = random.Random(seed)

    def receive(self, call: PlannedCall) -> Outcome:
        if call.task_id == self._failing:
            return NO
        chance = self._random.random()
        if chance < self._sour / 2:
            return BUSY
        if call.key not in self._keys:
            self._keys.add(call.key)
            if call.undoes is None:
                self.done[call.task_id] += 1
            elif call.undoes.key in self._keys:
                self.undone.append(call.undoes.task_id)
        return LOST if chance < self._sour else OK


def run(desk: Desk, ledger: Ledger, *, crash_at: int = -1) -> InstanceStatus:
    """Until it rests; the worker dies once, in the middle of its call number `crash_at`."""
    made = 0
    for _ in range(1_000):
        if desk.state is None:
            if desk.rows.wake_at is None:
                return desk.status()
            desk.clock.advance(max(0.0, (desk.rows.wake_at - desk.clock.now()).total_seconds()))
            desk.claim()
        elif core.startable(desk.state):
            desk.start()
        elif desk.calls:
            call = next(iter(desk.calls.values()))
            outcome = ledger.receive(call)
            made += 1
            if made == crash_at:
                desk.claim()  # the target has had the call, and nobody hears its answer
            else:
                desk.end(call.task_id, outcome)
        else:
            desk.pass_time()
    raise AssertionError("it never comes to rest")


def saga(edges: dict[str, list[str]]) -> CompiledFlow:
    tasks = {name: {"after": after, "undo": {"retry": AUTO}, "retry": AUTO} for name, after in edges.items()}
    return make_flow(tasks, on_failure=OnFailure.COMPENSATE)


def balanced(desk: Desk, ledger: Ledger, edges: dict[str, list[str]]) -> None:
    assert Counter(ledger.undone) == ledger.done
    position = {name: index for index, name in enumerate(ledger.undone)}
    for name, after in edges.items():
        for earlier in after:
            if name in position and earlier in position:
                assert position[name] < position[earlier], (earlier, "was undone before", name)
    assert {row["state"] for row in desk.rows.exceptions.values()} <= {"resolved"}


@pytest.mark.parametrize("failing", TWELVE)
def test_twelve_tasks_end_undone_wherever_one_fails(failing: str) -> None:
    desk, ledger = Desk(saga(TWELVE)), Ledger(failing)
    assert run(desk, ledger) is InstanceStatus.COMPENSATED
    balanced(desk, ledger, TWELVE)


@pytest.mark.parametrize("failing", TWELVE)
def test_twelve_tasks_end_undone_whenever_the_worker_dies(failing: str) -> None:
    for crash_at in range(1, 24):
        desk, ledger = Desk(saga(TWELVE)), Ledger(failing)
        assert run(desk, ledger, crash_at=crash_at) is InstanceStatus.COMPENSATED
        balanced(desk, ledger, TWELVE)


@st.composite
def graphs(draw: st.DrawFn) -> dict[str, list[str]]:
    edges: dict[str, list[str]] = {}
    for number in range(draw(st.integers(1, 9))):
        edges[f"t{number}"] = draw(st.lists(st.sampled_from(list(edges)), unique=True, max_size=4)) if edges else []
    return edges


@settings(max_examples=60, deadline=None)
@given(edges=graphs(), data=st.data())
def test_any_graph_is_undone_once_each_and_in_reverse(edges: dict[str, list[str]], data: st.DataObject) -> None:
    failing = data.draw(st.sampled_from(list(edges)))
    desk = Desk(saga(edges))
    ledger = Ledger(failing, data.draw(st.integers(0, 999)), sour=data.draw(st.sampled_from([0.0, 0.2])))
    status = run(desk, ledger, crash_at=data.draw(st.integers(0, 20)))
    if status is InstanceStatus.COMPENSATED:
        balanced(desk, ledger, edges)
    else:  # an undo was busy longer than it is tried: a person looks, and what was done later is undone already
        assert desk.rows.columns["needs_attention"]
        assert Counter(ledger.undone) <= ledger.done
