"""Cancel, pause, resume and close: in every state done or refused, waiting where calls are in flight."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from execution.domain.states import InstanceStatus
from execution.engine.acts import KNOWN_ACTS
from execution.engine.events import Acts
from execution.engine.state import Verdict
from flows.domain.compiled import OnFailure
from tests.fakes.compiled import AUTO
from tests.unit.execution.desk import BUSY, NO, Desk


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
    assert {
        *("retry", "rerun", "skip", "mark_success", "compensate"),
        *("cancel", "pause", "resume", "close"),
    } == KNOWN_ACTS


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
