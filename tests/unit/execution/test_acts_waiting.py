"""Pause, resume, cancel and close, and how they wait for calls in flight."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from execution.domain.states import InstanceStatus, TaskStatus
from flows.domain.compiled import OnFailure
from tests.fakes.compiled import NEVER
from tests.unit.execution.desk import NO, OK, Desk
from tests.unit.execution.test_acts import backing_off, done, held, in_flight, pending, running


@pytest.mark.parametrize("make", [pending, running, backing_off])
def test_it_goes_on_where_it_stood_after_a_pause(make: Callable[[], Desk]) -> None:
    desk = make()
    before = desk.status()
    done(desk.act("pause"))
    assert desk.status() is InstanceStatus.PAUSED
    assert desk.rows.is_at_rest
    done(desk.act("resume"))
    assert desk.status() is before
    assert desk.rows.columns["paused_from"] == ""
    assert desk.rows.wake_at is not None
    assert desk.play() is InstanceStatus.SUCCESS


def test_it_lets_calls_end_before_it_pauses() -> None:
    desk = in_flight()
    assert desk.act("pause") is None
    assert desk.logged("asked")[0].details == {"act": "pause", "by": "li.wei", "in_flight": 1}
    assert desk.status() is InstanceStatus.RUNNING
    desk.end("a")
    assert desk.status() is InstanceStatus.PAUSED
    verdict = done(desk.rows.verdicts["act-1"])
    assert (verdict.before["status"], verdict.after["status"]) == ("running", "paused")
    assert desk.task_status("a") is TaskStatus.SUCCESS
    assert desk.task_status("b") is TaskStatus.PENDING
    done(desk.act("resume"))
    assert desk.play() is InstanceStatus.SUCCESS


def test_it_starts_nothing_while_a_pause_waits() -> None:
    desk = Desk({"a": {}, "b": {}, "c": {"after": "a"}})
    desk.claim()
    desk.start()
    desk.act("pause")
    desk.end("a")
    assert desk.start("c") == []
    desk.end("b")
    assert desk.status() is InstanceStatus.PAUSED


def test_it_is_not_asked_twice_by_the_same_act() -> None:
    desk = in_flight()
    act = desk.make_act("pause")
    desk.take_up([act])
    desk.take_up([act])
    assert len(desk.logged("asked")) == 1
    assert act.action_id not in desk.rows.verdicts


def test_it_decides_an_act_once_although_the_inbox_still_shows_it() -> None:
    desk = Desk({"a": {}, "b": {}})
    desk.claim()
    desk.start("a")
    desk.end("a", NO)
    act = desk.make_act("retry", "a")
    desk.take_up([act])
    desk.take_up([act])  # its verdict is on its way to the store
    assert len(desk.logged("retry_now")) == 1


@pytest.mark.parametrize("second", ["pause", "cancel"])
def test_it_lets_one_act_wait_at_a_time(second: str) -> None:
    desk = in_flight()
    desk.act("pause")
    verdict = desk.act(second)
    assert verdict is not None
    assert verdict.code == "ACT_WAITING"
    assert "pause by li.wei" in verdict.message


def test_it_pauses_after_a_failure_that_would_have_held_it() -> None:
    desk = Desk({"a": {}})
    desk.claim()
    desk.start()
    desk.act("pause")
    desk.end("a", NO)
    assert desk.status() is InstanceStatus.PAUSED
    done(desk.act("resume"))
    assert desk.status() is InstanceStatus.FAILED


def test_it_fails_for_good_when_resumed_after_a_failure_under_fail() -> None:
    desk = Desk({"a": {}}, on_failure=OnFailure.FAIL)
    desk.claim()
    desk.start()
    desk.act("pause")
    desk.end("a", NO)
    done(desk.act("resume"))
    assert desk.status() is InstanceStatus.FAILED
    assert desk.rows.columns["closed"] is True


def test_it_meets_its_deadline_when_resumed_too_late() -> None:
    desk = Desk({"a": {}}, timeout_seconds=60)
    desk.claim()
    desk.act("pause")
    desk.clock.advance(61)
    done(desk.act("resume"))
    assert desk.rows.columns["error"]["code"] == "INSTANCE_TIMEOUT"


def test_it_lets_calls_end_before_it_cancels() -> None:
    desk = in_flight()
    assert desk.act("cancel") is None
    desk.end("a", OK)
    assert desk.status() is InstanceStatus.CANCELLED
    assert desk.rows.columns["closed"] is True
    assert desk.rows.columns["completed_at"] == desk.clock.now()
    assert desk.task_status("a") is TaskStatus.SUCCESS


def test_it_abandons_calls_when_cancelled_by_force() -> None:
    desk = in_flight()
    done(desk.act("cancel", force=True))
    assert desk.status() is InstanceStatus.CANCELLED
    row = desk.attempt("a")
    assert row.error is not None
    assert (row.status, row.error.code) == ("unknown", "CANCELLED")
    assert desk.task_status("a") is TaskStatus.CANCELLED
    assert desk.exceptions("a")[0]["state"] == "resolved"


def test_it_fails_the_abandoned_call_of_a_task_without_retries() -> None:
    desk = Desk({"a": {"retry": NEVER}})
    desk.claim()
    desk.start()
    done(desk.act("cancel", force=True))
    assert desk.task_status("a") is TaskStatus.FAILED


def test_it_cancels_what_waits_for_a_retry() -> None:
    desk = backing_off()
    done(desk.act("cancel"))
    assert desk.task_status("a") is TaskStatus.CANCELLED
    assert desk.rows.tasks["a"].next_at is None
    assert desk.exceptions("a")[0]["state"] == "resolved"


def test_it_settles_the_exceptions_of_what_it_cancels() -> None:
    desk = held()
    done(desk.act("cancel"))
    assert desk.task_status("a") is TaskStatus.FAILED
    assert desk.exceptions("a")[0]["state"] == "resolved"


@pytest.mark.parametrize("first", ["cancel", "pause"])
def test_it_lets_force_overtake_what_waits(first: str) -> None:
    desk = in_flight()
    desk.act(first)
    done(desk.act("cancel", force=True))
    assert desk.status() is InstanceStatus.CANCELLED
    assert desk.rows.verdicts["act-1"].code == "INSTANCE_ENDED"


def test_it_takes_up_what_waited_after_its_worker_died() -> None:
    desk = in_flight()
    act = desk.make_act("pause")
    desk.take_up([act])
    desk.claim(strikes=1)
    assert desk.status() is InstanceStatus.RUNNING
    desk.take_up([act])
    assert desk.status() is InstanceStatus.PAUSED


def test_it_closes_with_its_exceptions() -> None:
    desk = held()
    done(desk.act("close"))
    assert desk.status() is InstanceStatus.FAILED
    assert desk.rows.columns["completed_at"] == desk.clock.now()
    assert desk.exceptions("a")[0]["state"] == "resolved"


def test_it_closes_the_exception_of_the_instance_itself() -> None:
    desk = Desk({"a": {}})
    desk.park()
    done(desk.act("close"))
    assert [row["state"] for row in desk.exceptions("")] == ["resolved"]
