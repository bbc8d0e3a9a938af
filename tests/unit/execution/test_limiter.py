"""Permits and moments: never more than the limit in all, whatever the drivers ask and in which order."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from execution.domain.limiter import Share, grant, reserve
from tests.fakes.clock import START

LATER = START + timedelta(seconds=30)


def share(permits: int, want: int | None = None, *, seconds: float = 30) -> Share:
    return Share(permits=permits, want=permits if want is None else want, until=START + timedelta(seconds=seconds))


def test_alone_it_gets_what_it_wants_up_to_the_limit() -> None:
    assert grant(limit=10, used=0, want=4, others=[], now=START) == 4
    assert grant(limit=10, used=0, want=40, others=[], now=START) == 10


def test_it_gets_what_the_others_leave() -> None:
    assert grant(limit=10, used=0, want=40, others=[share(7)], now=START) == 3
    assert grant(limit=10, used=0, want=40, others=[share(7), share(3)], now=START) == 0


def test_while_another_lacks_it_keeps_its_even_part_beyond_what_it_uses() -> None:
    assert grant(limit=10, used=0, want=40, others=[share(0, 5)], now=START) == 5
    assert grant(limit=10, used=8, want=40, others=[share(0, 5)], now=START) == 8


def test_what_has_run_out_does_not_count() -> None:
    assert grant(limit=10, used=0, want=40, others=[share(7, seconds=-1)], now=START) == 10


def test_who_wants_nothing_gives_back() -> None:
    assert grant(limit=10, used=0, want=0, others=[], now=START) == 0
    assert grant(limit=10, used=3, want=3, others=[], now=START) == 3


def test_a_limit_that_was_lowered_holds_at_once_for_new_calls() -> None:
    assert grant(limit=2, used=8, want=20, others=[], now=START) == 2
    assert grant(limit=2, used=8, want=20, others=[share(5)], now=START) == 0


@given(
    limit=st.integers(1, 50),
    asks=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 60), st.integers(0, 60)), max_size=40),
)
def test_all_drivers_together_never_have_more(limit: int, asks: list[tuple[int, int, int]]) -> None:
    shares: dict[int, Share] = {}
    for driver, used, want in asks:
        held = shares[driver].permits if driver in shares else 0
        others = [each for key, each in shares.items() if key != driver]
        permits = grant(limit=limit, used=min(used, held), want=want, others=others, now=START)
        shares[driver] = Share(permits=permits, want=want, until=LATER)
        assert sum(each.permits for each in shares.values()) <= limit


def test_moments_are_evenly_spaced_and_nobody_elses() -> None:
    first = reserve(rate=10, next_at=None, want=3, horizon=1, now=START)
    second = reserve(rate=10, next_at=first.next_at, want=3, horizon=1, now=START)
    times = [(each - START).total_seconds() for each in (*first.times, *second.times)]
    assert times == [0.0, 0.1, 0.2, 0.3, 0.4, 0.5]


def test_it_reserves_no_further_than_its_horizon() -> None:
    assert len(reserve(rate=10, next_at=None, want=100, horizon=0.5, now=START).times) == 6


def test_a_slow_target_gives_one_moment_however_far() -> None:
    ahead = START + timedelta(seconds=100)
    assert reserve(rate=0.1, next_at=ahead, want=5, horizon=1, now=START).times == []
    assert reserve(rate=0.1, next_at=ahead, want=5, least=1, horizon=1, now=START).times == [ahead]


def test_nothing_is_saved_up() -> None:
    long_ago = START - timedelta(hours=1)
    assert reserve(rate=1, next_at=long_ago, want=5, horizon=1, now=START).times[0] == START
