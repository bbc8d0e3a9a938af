"""The breaker as a table of what it becomes, and what it lets pass meanwhile."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from execution.domain.breaker import Breaker, BreakerPolicy, BreakerState, closed, forced, judge
from execution.domain.health import Figures
from tests.fakes.clock import START

POLICY = BreakerPolicy(error_rate=0.5, min_calls=10, window=60, open_seconds=30, open_most=100, probes=3, ramp=60)
OPEN = Breaker(state=BreakerState.OPEN, changed_at=START, open_until=START + timedelta(seconds=30), opens=1)
HALF = Breaker(state=BreakerState.HALF_OPEN, changed_at=START, opens=1)


def at(seconds: float) -> Any:
    return START + timedelta(seconds=seconds)


def seen(calls: int, errors: int = 0) -> Figures:
    return Figures(calls=calls, errors=errors)


@pytest.mark.parametrize(
    ("calls", "errors", "opens"), [(10, 5, True), (10, 4, False), (9, 9, False), (100, 50, True), (0, 0, False)]
)
def test_it_opens_at_its_share_of_enough_calls(calls: int, errors: int, opens: bool) -> None:
    state = judge(Breaker(), seen(calls, errors), POLICY, now=START).state
    assert state is (BreakerState.OPEN if opens else BreakerState.CLOSED)


def test_nothing_new_is_the_same_object() -> None:
    breaker = Breaker()
    assert judge(breaker, seen(100, 1), POLICY, now=START) is breaker


def test_each_opening_in_a_row_lasts_longer_up_to_the_most() -> None:
    breaker, lasts = Breaker(), []
    for _ in range(4):
        breaker = judge(breaker, seen(10, 10), POLICY, now=START)
        assert breaker.open_until is not None
        lasts.append((breaker.open_until - START).total_seconds())
        breaker = judge(breaker, seen(0), POLICY, now=breaker.open_until)
        assert breaker.state is BreakerState.HALF_OPEN
    assert lasts == [30, 60, 100, 100]


def test_it_stays_open_until_its_time() -> None:
    assert judge(OPEN, seen(0), POLICY, now=at(29)) is OPEN
    assert judge(OPEN, seen(0), POLICY, now=at(30)).state is BreakerState.HALF_OPEN


def test_probes_decide() -> None:
    assert judge(HALF, seen(2), POLICY, now=at(1)) is HALF
    assert judge(HALF, seen(3), POLICY, now=at(1)).state is BreakerState.CLOSED
    assert judge(HALF, seen(3, 1), POLICY, now=at(1)).state is BreakerState.OPEN


def test_where_little_is_to_be_done_one_good_answer_is_enough_after_a_while() -> None:
    assert judge(HALF, seen(1), POLICY, now=at(29)) is HALF
    assert judge(HALF, seen(1), POLICY, now=at(30)).state is BreakerState.CLOSED
    assert judge(HALF, seen(0), POLICY, now=at(3000)) is HALF


def test_what_may_pass_depends_on_the_state() -> None:
    assert Breaker().may_pass(START, POLICY) is None
    assert OPEN.may_pass(START, POLICY) == 0
    assert HALF.may_pass(START, POLICY) == 3


def test_after_a_closing_more_and_more_may_pass() -> None:
    breaker = closed(HALF, now=START)
    passing = [breaker.may_pass(at(seconds), POLICY) for seconds in (0, 10, 30, 59, 60)]
    assert passing == [3, 6, 24, 179, None]


def test_trouble_long_after_the_last_is_a_new_one() -> None:
    breaker = judge(closed(judge(HALF, seen(9, 9), POLICY, now=START), now=START), seen(5), POLICY, now=at(121))
    assert breaker.opens == 0
    long_after = closed(HALF, now=START)
    opened = judge(long_after, seen(10, 10), POLICY, now=at(1000))
    assert opened.open_until == at(1030)


def test_what_a_person_forces_wins_until_its_time() -> None:
    shut = forced(Breaker(), BreakerState.OPEN, until=at(60), now=START)
    assert (shut.state_at(at(59)), shut.until(at(59))) == (BreakerState.OPEN, at(60))
    assert shut.may_pass(at(59), POLICY) == 0
    assert judge(shut, seen(100), POLICY, now=at(59)) is shut
    assert judge(shut, seen(0), POLICY, now=at(60)).state is BreakerState.HALF_OPEN


def test_forced_closed_it_does_not_open() -> None:
    kept = forced(OPEN, BreakerState.CLOSED, until=at(60), now=START)
    assert kept.may_pass(at(10), POLICY) is None
    assert judge(kept, seen(100, 100), POLICY, now=at(10)) is kept
    free = judge(kept, seen(100, 100), POLICY, now=at(60))
    assert (free.state, free.forced) == (BreakerState.CLOSED, None)


def test_without_a_time_what_is_forced_holds() -> None:
    shut = forced(Breaker(), BreakerState.OPEN, until=None, now=START)
    assert judge(shut, seen(0), POLICY, now=at(10**8)) is shut
    assert shut.until(at(5)) is None


def test_switched_off_it_does_not_open_by_itself_and_lets_go_what_is_open() -> None:
    off = BreakerPolicy(enabled=False, min_calls=1)
    assert judge(Breaker(), seen(100, 100), off, now=START).state is BreakerState.CLOSED
    half = judge(OPEN, seen(0), off, now=START)
    assert judge(half, seen(5, 5), off, now=at(1)).state is BreakerState.CLOSED
