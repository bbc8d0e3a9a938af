"""A target's window: what counts, how long, and how the windows of several drivers become one."""

from __future__ import annotations

import pytest

from execution.domain.health import Window, figures, is_target_error, read_window, step_of
from execution.domain.outcome import Failure, Outcome, Result, Sort


def failure(sort: Sort, code: str = "X") -> Failure:
    return Failure(sort=sort, type="T", code=code, message="m")


@pytest.mark.parametrize(
    ("outcome", "counts"),
    [
        (Result(value={}), False),
        (failure(Sort.REFUSED), False),
        (failure(Sort.REFUSED_NOW), True),
        (failure(Sort.NEVER_SENT), True),
        (failure(Sort.MAYBE_APPLIED), True),
        (failure(Sort.MAYBE_APPLIED, "EXECUTOR_ERROR"), False),
        (failure(Sort.MAYBE_APPLIED, "CALL_CANCELLED"), False),
    ],
)
def test_only_what_speaks_against_the_target_counts(outcome: Outcome, counts: bool) -> None:
    assert is_target_error(outcome) is counts


def filled(*, start: float, calls: int, errors: int = 0, ms: float = 10.0) -> Window:
    window = Window(60)
    for number in range(calls):
        window.add(start, is_error=number < errors, ms=ms)
    return window


def test_it_counts_calls_and_errors() -> None:
    seen = figures([filled(start=100, calls=10, errors=4).buckets], now=101, seconds=60)
    assert (seen.calls, seen.errors, seen.error_rate) == (10, 4, 0.4)


def test_no_calls_are_no_rate_and_no_latency() -> None:
    seen = figures([], now=0, seconds=60)
    assert (seen.error_rate, seen.p50, seen.p95) == (0.0, None, None)


def test_what_is_older_than_the_window_is_gone() -> None:
    window = filled(start=100, calls=3)
    window.add(170, is_error=False, ms=1)
    assert figures([window.buckets], now=171, seconds=60).calls == 1
    assert len(window.buckets) == 1


def test_after_a_cut_only_the_new_counts() -> None:
    window = filled(start=100, calls=5, errors=5)
    window.cut(100.5)
    window.add(100.6, is_error=False, ms=1)
    seen = figures([window.buckets], now=101, seconds=60, since=100.5)
    assert (seen.calls, seen.errors) == (1, 0)


def test_windows_of_several_drivers_are_one() -> None:
    windows = [filled(start=100, calls=10, errors=1), filled(start=103, calls=30, errors=3)]
    seen = figures([read_window(each.plain()) for each in windows], now=104, seconds=60)
    assert (seen.calls, seen.errors) == (40, 4)


@pytest.mark.parametrize("broken", [None, {}, "x", [1], [[1, 2]], [["a", "b", "c", {}]]])
def test_a_window_that_cannot_be_read_is_empty(broken: object) -> None:
    assert read_window(broken) == []


@pytest.mark.parametrize("ms", [0.2, 1.0, 7.0, 95.0, 1234.0, 60_000.0])
def test_latencies_are_told_within_a_fifth(ms: float) -> None:
    told = figures([filled(start=1, calls=1, ms=ms).buckets], now=1, seconds=60).p50
    assert told is not None
    assert max(ms, 1.0) <= told * 1.001 <= max(ms, 1.0) * 1.2


def test_quantiles_are_of_the_calls() -> None:
    window = Window(60)
    for number in range(100):
        window.add(1, is_error=False, ms=10 if number < 90 else 1000)
    seen = figures([window.buckets], now=1, seconds=60)
    assert seen.p50 == pytest.approx(10, rel=0.2)
    assert seen.p95 == pytest.approx(1000, rel=0.2)


def test_the_slowest_have_a_class_of_their_own() -> None:
    assert step_of(10**9) == step_of(10**12)
