"""Random flows, outcomes and acts: the desk checks every promise after every step."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from execution.domain.outcome import Outcome, Result
from execution.domain.states import InstanceStatus
from execution.engine import core
from execution.engine.core import STRIKE_LIMIT
from execution.engine.state import Unit
from flows.domain.compiled import CompiledFlow
from tests.unit.execution.desk import BUSY, LOST, NO, OK, UNSENT, Desk
from tests.unit.execution.strategies import flows

YES, NOT_DONE = Result(value={"done": "yes"}), Result(value={"done": "no"})
OUTCOMES: tuple[Outcome, ...] = (OK, OK, OK, YES, NOT_DONE, BUSY, NO, UNSENT, LOST, LOST)
PAYLOADS: tuple[dict[str, Any], ...] = (
    {},
    {},
    {"input": {"x": 1}},
    {"input": {"x": 1}, "outcome": "not_applied"},
)
RESTING = (
    InstanceStatus.SUCCESS,
    InstanceStatus.FAILED,
    InstanceStatus.COMPENSATED,
    InstanceStatus.COMPENSATING,  # stuck: it needs a person
)
TASK_ACTS = ("retry", "skip", "mark_success", "rerun")
ACTS = ("retry", "cancel", "pause", "resume", "resume", "close", "compensate", "compensate")
MOVES = ("start", "start", "start one", "end", "end", "end", "tick", "die", "abandon", "act", "act", "task act", "park")


class Randomly:
    """Makes one random move after another on a desk."""

    def __init__(self, flow: CompiledFlow, data: st.DataObject) -> None:
        self.desk = Desk(flow)
        self._data = data
        self.strikes = 0

    def move(self) -> None:
        desk = self.desk
        move = self._data.draw(st.sampled_from(MOVES))
        if move == "act":
            force = self._data.draw(st.booleans())
            act = self._data.draw(st.sampled_from(ACTS))
            desk.act(act, force=force, **(self._part() if act == "compensate" else {}))
        elif move == "task act":
            self._act_on_task()
        elif desk.state is None:
            self._claim()
        elif move == "die":
            self.strikes = desk.rows.columns["strikes"] + 1
            desk.claim(strikes=self.strikes)
        elif move == "abandon":
            desk.abandon()
        elif move == "park" and self._data.draw(st.integers(0, 5)) == 0:
            desk.park()
        elif move == "start":
            desk.start()
        elif move == "start one" and core.startable(desk.state):
            desk.start(self._data.draw(st.sampled_from(core.startable(desk.state))))
        elif move == "tick":
            desk.pass_time(self._data.draw(st.sampled_from([0.0, 1.0, 15.0, 45.0])))
        elif desk.calls:
            task_id = self._data.draw(st.sampled_from(sorted(desk.calls)))
            desk.end(task_id, self._data.draw(st.sampled_from(OUTCOMES)))

    def _part(self) -> dict[str, Any]:
        """All of it, or some tasks, of which some were undone elsewhere."""
        if self._data.draw(st.booleans()):
            return {}
        some = st.lists(st.sampled_from(sorted(self.desk.flow.tasks)), unique=True, max_size=3)
        return {"tasks": self._data.draw(some), "outside": self._data.draw(some)}

    def _claim(self) -> None:
        desk = self.desk
        if desk.rows.wake_at is not None:
            desk.clock.advance(max(0.0, (desk.rows.wake_at - desk.clock.now()).total_seconds()))
            desk.claim()

    def _act_on_task(self) -> None:
        task_id = self._data.draw(st.sampled_from(sorted(self.desk.flow.specs)))
        payload = self._data.draw(st.sampled_from(PAYLOADS))
        self.desk.act(self._data.draw(st.sampled_from(TASK_ACTS)), task_id, **payload)


@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
@given(flow=flows(), data=st.data())
def test_it_keeps_its_promises_whatever_happens(flow: CompiledFlow, data: st.DataObject) -> None:
    random_moves = Randomly(flow, data)
    for _ in range(data.draw(st.integers(5, 40))):
        random_moves.move()
    _comes_to_rest(random_moves.desk)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(flow=flows(), data=st.data())
def test_it_comes_to_rest_by_itself(flow: CompiledFlow, data: st.DataObject) -> None:
    desk = Desk(flow)
    outcomes = {
        task_id: data.draw(st.lists(st.sampled_from(OUTCOMES), max_size=4), label=task_id) for task_id in flow.tasks
    }
    assert desk.play(**outcomes) in RESTING


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(flow=flows(), data=st.data())
def test_it_tells_the_same_when_units_are_folded(flow: CompiledFlow, data: st.DataObject) -> None:
    """Two units written one after the other leave the same rows as their fold."""
    desk, folded = Desk(flow), Desk(flow)
    pending = None
    for unit in _units(desk, data):
        pending = unit if pending is None else core.fold(pending, unit)
        if data.draw(st.booleans()):
            folded.rows.write(pending)
            pending = None
    if pending is not None:
        folded.rows.write(pending)
    for name in ("columns", "rev", "tasks", "attempts", "logs", "exceptions", "verdicts", "wake_at"):
        assert getattr(folded.rows, name) == getattr(desk.rows, name), name


def _units(desk: Desk, data: st.DataObject) -> Iterator[Unit]:
    desk.claim()
    assert desk.last.unit is not None
    yield desk.last.unit
    for _ in range(30):
        if desk.state is None:
            return
        if core.startable(desk.state):
            desk.start()
        elif desk.calls:
            desk.end(min(desk.calls), data.draw(st.sampled_from(OUTCOMES)))
        else:
            desk.pass_time()
        if desk.last.unit is not None:
            yield desk.last.unit


def _comes_to_rest(desk: Desk) -> None:
    """Left alone, every instance ends, is held, or stays paused; three strikes at most hold it up."""
    for _ in range(STRIKE_LIMIT):
        status = desk.play()
        if status in (*RESTING, InstanceStatus.CANCELLED, InstanceStatus.PAUSED):
            return
    raise AssertionError(status)
