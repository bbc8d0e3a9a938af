"""Cancel, pause, resume and close: in every state done or refused, waiting where calls are in flight."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from execution.domain.states import InstanceStatus, TaskStatus
from execution.engine.acts import KNOWN_ACTS
from execution.engine.events import Acts
from execution.engine.state import Verdict
from flows.domain.compiled import OnFailure
from tests.fakes.compiled import AUTO, NEVER
from tests.unit.execution.desk import BUSY, NO, OK, Desk


def pending() -> Desk:
    return Desk({"a": {}, "b": {}})


def running() -> Desk:
    """Nothing in flight, b ready; an owner holds it."""
    desk = pending()
    desk.claim()
    desk.start("a")
    desk.end("a")
    return desk


def in_flight() -> Desk:
    desk = Desk({"a": {"retry": AUTO}, "b": {"after": "a"}})
    desk.claim()
    desk.start()
    return desk


def backing_off() -> Desk:
    desk = Desk({"a": {"retry": AUTO}})
    desk.claim()
    desk.start()
    desk.end("a", BUSY)
    return desk


def held() -> Desk:
    desk = Desk({"a": {}, "b": {"after": "a"}})
    desk.play(a=NO)
    return desk


def paused() -> Desk:
    desk = pending()
    desk.act("pause")
    return desk


def closed() -> Desk:
    desk = Desk({"a": {}}, on_failure=OnFailure.FAIL)
    desk.play(a=NO)
    return desk


def success() -> Desk:
    desk = Desk({"a": {}})
    desk.play()
    return desk


def cancelled() -> Desk:
    desk = pending()
    desk.act("cancel")
    return desk


ENDED = {"retry": "INSTANCE_ENDED", "cancel": "INSTANCE_ENDED", "pause": "INSTANCE_ENDED"}
ENDED |= {"resume": "INSTANCE_ENDED", "close": "INSTANCE_ENDED"}
REFUSALS: list[tuple[Callable[[], Desk], dict[str, str]]] = [
    (pending, {"retry": "NOTHING_TO_RETRY", "resume": "NOT_PAUSED", "close": "NOT_FAILED"}),
    (running, {"retry": "NOTHING_TO_RETRY", "resume": "NOT_PAUSED", "close": "NOT_FAILED"}),
    (backing_off, {"resume": "NOT_PAUSED", "close": "NOT_FAILED"}),
    (held, {"pause": "NOT_RUNNING", "resume": "NOT_PAUSED"}),
    (paused, {"retry": "NOTHING_TO_RETRY", "pause": "NOT_RUNNING", "close": "NOT_FAILED"}),
    (closed, ENDED),
    (success, ENDED),
    (cancelled, ENDED),
]
CASES = [
    pytest.param(make, act, refused.get(act, ""), id=f"{act} when {make.__name__}")
    for make, refused in REFUSALS
    for act in ("retry", "cancel", "pause", "resume", "close")
]
AFTER = {
    "cancel": InstanceStatus.CANCELLED,
    "pause": InstanceStatus.PAUSED,
    "close": InstanceStatus.FAILED,
}


@pytest.mark.parametrize(("make", "act", "code"), CASES)
def test_it_does_or_refuses_every_act_in_every_state(make: Callable[[], Desk], act: str, code: str) -> None:
    desk = make()
    status, logs = desk.status(), len(desk.rows.logs)
    verdict = desk.act(act)
    assert verdict is not None
    assert (verdict.done, verdict.code) == (not code, code)
    assert bool(verdict.message)
    if code:
        assert desk.status() is status
        assert len(desk.rows.logs) == logs
    elif act in AFTER:
        assert desk.status() is AFTER[act]


def test_it_knows_its_acts() -> None:
    assert {"retry", "skip", "mark_success", "cancel", "pause", "resume", "close"} == KNOWN_ACTS


def test_it_refuses_an_act_it_does_not_know() -> None:
    verdict = held().act("explode")
    assert verdict is not None
    assert verdict.code == "UNKNOWN_ACT"


def done(verdict: Verdict | None) -> Verdict:
    assert verdict is not None
    assert verdict.done, verdict
    return verdict


def test_it_shows_before_and_after_for_the_audit() -> None:
    verdict = done(held().act("close"))
    assert verdict.before == {"status": "failed", "needs_attention": True, "closed": False}
    assert verdict.after == {"status": "failed", "needs_attention": False, "closed": True}


def test_it_writes_who_and_why_into_the_log() -> None:
    desk = held()
    desk.act("close")
    row = desk.logged("close")[0]
    assert (row.message, row.details) == ("because", {"by": "li.wei"})
    desk = paused()
    row = desk.logged("pause")[0]
    assert (row.message, row.details) == ("because", {"from": "pending", "to": "paused", "by": "li.wei"})
    desk.act("resume")
    assert desk.logged("resume")[0].details["by"] == "li.wei"
    desk.act("cancel")
    assert desk.logged("cancel")[0].details["by"] == "li.wei"


# Pause and resume


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


# Cancel


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


# Close


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


def test_it_does_several_acts_in_the_order_they_were_asked() -> None:
    desk = held()
    desk.take_up([desk.make_act("retry"), desk.make_act("pause"), desk.make_act("retry"), desk.make_act("resume")])
    assert [verdict.code for verdict in desk.rows.verdicts.values()] == ["", "", "NOTHING_TO_RETRY", ""]
    assert desk.play() is InstanceStatus.SUCCESS


def test_it_remembers_how_many_acts_it_has_seen() -> None:
    desk = running()
    desk.step(Acts(acts=[], inbox=5))
    assert desk.owned.inbox == 5
    desk.step(Acts(acts=[], inbox=3))
    assert desk.owned.inbox == 5


def test_it_looks_at_all_joins_when_held_by_a_service() -> None:
    """The driver died between a's end and b's start; an act must not find that nothing is left to do."""
    desk = Desk({"a": {}, "b": {"after": "a"}, "c": {"after": "b"}})
    desk.claim()
    desk.start()
    desk.end("a")
    desk.state = None
    done(desk.act("skip", "c"))
    assert desk.status() is InstanceStatus.RUNNING
    assert desk.rows.wake_at == desk.clock.now()
