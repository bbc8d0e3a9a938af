"""An instance whose work waits for a target is given back: no attempt, no strike, and due at its time."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from execution.domain.states import TaskStatus
from execution.engine.events import Acts, Defer
from execution.engine.state import Act
from tests.fakes.clock import START
from tests.fakes.compiled import AUTO, make_flow
from tests.unit.execution.desk import BUSY, Desk

SOON = START + timedelta(seconds=60)


def defer(task_id: str = "a", **more: Any) -> Defer:
    usual: dict[str, Any] = {"target": "http:bank:443", "task_id": task_id, "code": "limit", "until": SOON}
    return Defer(**(usual | more))


def test_it_is_given_back_until_its_time_and_says_for_what() -> None:
    desk = Desk(make_flow({"a": {}}))
    desk.claim()
    desk.step(defer())
    assert desk.state is None
    assert desk.rows.wake_at == SOON
    assert desk.rows.parked == {"target_id": "http:bank:443", "task_id": "a", "code": "limit", "until": SOON}
    assert (desk.task_status("a"), desk.rows.attempts) == (TaskStatus.PENDING, {})


def test_it_goes_on_from_there() -> None:
    desk = Desk(make_flow({"a": {}, "b": {"after": ["a"]}}))
    desk.claim()
    desk.step(defer())
    assert desk.play() == "success"


def test_a_retry_that_is_due_earlier_comes_first() -> None:
    desk = Desk(make_flow({"a": {"retry": AUTO}, "b": {}}))
    desk.claim()
    desk.start("a")
    desk.end("a", BUSY)
    retry_at = desk.rows.tasks["a"].next_at
    desk.step(defer("b", until=SOON + timedelta(days=1)))
    assert retry_at is not None
    assert desk.rows.wake_at == retry_at
    assert desk.rows.parked is not None
    assert desk.rows.parked["until"] == retry_at


def test_it_is_ignored_while_a_call_is_in_flight() -> None:
    desk = Desk(make_flow({"a": {}, "b": {}}))
    desk.claim()
    desk.start("a")
    assert desk.step(defer("b")).unit is None
    assert desk.state is not None


def test_it_is_ignored_once_the_task_waits_no_more() -> None:
    desk = Desk(make_flow({"a": {}, "b": {}}))
    desk.claim()
    act = Act(action_id="1", act="skip", task_id="a", payload={}, actor="li.wei", reason="why")
    desk.step(Acts(acts=[act], inbox=1))
    assert desk.step(defer("a")).unit is None
