"""When to try again: a table, and what holds for every policy."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from execution.domain.outcome import Failure, Sort
from flows.domain.compiled import Jitter, RetryPolicy, Strategy
from retries.domain.backoff import LONGEST, RetryDecision, decide, delay_before, matches
from tests.fakes.clock import START

AUTO = RetryPolicy(strategy=Strategy.AUTO, max_attempts=3, interval=5, jitter=Jitter.NONE)
BUSY = Failure(sort=Sort.REFUSED_NOW, type="E", code="HTTP_503", message="")
NO = replace(BUSY, sort=Sort.REFUSED, code="HTTP_400")
LOST = replace(BUSY, sort=Sort.MAYBE_APPLIED, code="TIMEOUT")


def ask(policy: RetryPolicy, failure: Failure = BUSY, *, retries: int = 0, since: float = 0) -> RetryDecision:
    """The decision `since` seconds after the first failure."""
    now = START + timedelta(seconds=since)
    return decide(policy, failure, retries=retries, first_failed_at=START, now=now, jitter=0.5)


def wait_of(decision: RetryDecision, since: float = 0) -> float:
    assert decision.at is not None
    assert decision.reason == ""
    return (decision.at - START).total_seconds() - since


@pytest.mark.parametrize(
    ("retry", "interval", "rate", "most", "expected"),
    [
        (1, 5, 2.0, 3600, 5),
        (2, 5, 2.0, 3600, 10),
        (3, 5, 2.0, 3600, 20),
        (10, 5, 2.0, 3600, 2560),
        (11, 5, 2.0, 3600, 3600),
        (3, 5, 1.0, 3600, 5),
        (3, 8, 0.5, 3600, 2),
        (5000, 5, 2.0, 3600, 3600),
        (5000, 5, 2, 3600, 3600),
        (5000, 0.5, 2.0, 3600, 3600),
        (5000, 0, 2.0, 3600, 0),
        (2, 0, 2.0, 3600, 0),
        (1, 1e300, 2.0, 1e300, LONGEST),
        (1, 50, 2.0, 20, 20),
        (2, -5, 2.0, 3600, 0),
    ],
)
def test_it_waits_longer_each_time_up_to_a_cap(
    retry: int, interval: float, rate: float, most: float, expected: float
) -> None:
    policy = replace(AUTO, interval=interval, backoff_rate=rate, max_interval=most)
    assert delay_before(policy, retry, jitter=0.9) == expected


@pytest.mark.parametrize(
    ("jitter", "drawn", "expected"),
    [
        (Jitter.NONE, 0.75, 10),
        (Jitter.EQUAL, 0.0, 5),
        (Jitter.EQUAL, 0.5, 7.5),
        (Jitter.FULL, 0.0, 0),
        (Jitter.FULL, 0.75, 7.5),
    ],
)
def test_it_spreads_by_the_policy_s_jitter(jitter: Jitter, drawn: float, expected: float) -> None:
    assert delay_before(replace(AUTO, interval=10, jitter=jitter), 1, jitter=drawn) == expected


def test_it_takes_equal_jitter_where_nothing_is_said() -> None:
    assert RetryPolicy().jitter is Jitter.EQUAL


@pytest.mark.parametrize(
    ("strategy", "failure", "reason"),
    [
        (Strategy.AUTO, BUSY, ""),
        (Strategy.AUTO, LOST, ""),
        (Strategy.AUTO, NO, "refused"),
        (Strategy.AUTO, replace(BUSY, sort=Sort.NEVER_SENT), ""),
        (Strategy.MANUAL, BUSY, "manual"),
        (Strategy.MANUAL, NO, "manual"),
        (Strategy.MANUAL, LOST, ""),  # an unknown outcome is asked again under the same key
        (Strategy.NO_RETRY, BUSY, "no_retry"),
        (Strategy.NO_RETRY, LOST, "no_retry"),
    ],
)
def test_it_retries_by_strategy_and_sort(strategy: Strategy, failure: Failure, reason: str) -> None:
    decision = ask(replace(AUTO, strategy=strategy), failure)
    assert decision.reason == reason
    assert (decision.at is None) == bool(reason)


@pytest.mark.parametrize(
    ("options", "failure", "reason"),
    [
        ({"retry_on": ("HTTP_400",)}, NO, ""),
        ({"retry_on": ("HTTP_*",)}, NO, ""),
        ({"retry_on": ("GRPC_*",)}, NO, "refused"),
        ({"retry_on": ("GRPC_*",)}, BUSY, "retry_on"),
        ({"retry_on": ("GRPC_*",)}, LOST, ""),  # nobody knows what became of it
        ({"no_retry_on": ("HTTP_503",)}, BUSY, "no_retry_on"),
        ({"no_retry_on": ("HTTP_*",), "retry_on": ("HTTP_503",)}, BUSY, "no_retry_on"),
        ({"no_retry_on": ("TIMEOUT",)}, LOST, "no_retry_on"),
        ({"no_retry_on": ("HTTP_50",)}, BUSY, ""),
    ],
)
def test_it_looks_at_the_error_code(options: dict[str, Any], failure: Failure, reason: str) -> None:
    assert ask(replace(AUTO, **options), failure).reason == reason


@pytest.mark.parametrize(("retries", "reason"), [(0, ""), (2, ""), (3, "max_attempts"), (4, "max_attempts")])
def test_it_counts_retries_after_the_first_try(retries: int, reason: str) -> None:
    assert ask(AUTO, retries=retries).reason == reason


def test_it_waits_by_the_number_of_the_retry() -> None:
    assert [wait_of(ask(AUTO, retries=retries)) for retries in range(3)] == [5, 10, 20]


@pytest.mark.parametrize(
    ("retry_after", "most", "expected"),
    [
        (None, 3600, 5),
        (2, 3600, 5),
        (60, 3600, 60),
        (7200, 3600, 3600),
        (float("inf"), 1e12, LONGEST),
        (-9, 3600, 5),
        (float("nan"), 3600, 5),
    ],
)
def test_it_heeds_the_target_s_retry_after(retry_after: float | None, most: float, expected: float) -> None:
    assert wait_of(ask(replace(AUTO, max_interval=most), replace(BUSY, retry_after=retry_after))) == expected


@pytest.mark.parametrize(
    ("budget", "since", "reason"),
    [
        (None, 1e6, ""),
        (20, 0, ""),
        (20, 15, ""),
        (20, 15.5, "budget_seconds"),
        (1e300, 1e6, ""),
        (4, 0, "budget_seconds"),
    ],
)
def test_it_stops_when_the_next_try_would_pass_the_budget(budget: float | None, since: float, reason: str) -> None:
    assert ask(replace(AUTO, budget_seconds=budget), since=since).reason == reason


@pytest.mark.parametrize(
    ("pattern", "code", "hit"),
    [
        ("HTTP_503", "HTTP_503", True),
        ("HTTP_503", "HTTP_5033", False),
        ("HTTP_*", "HTTP_503", True),
        ("HTTP_*", "HTTP_", True),
        ("HTTP_*", "HTTP", False),
        ("*", "", True),
        ("http_*", "HTTP_503", False),
        ("A*B", "A*B", True),
        ("A*B", "AxB", False),
    ],
)
def test_it_matches_a_code_or_its_beginning(pattern: str, code: str, hit: bool) -> None:
    assert matches((pattern,), code) is hit
    assert matches(("OTHER", pattern), code) is hit


def test_it_matches_nothing_without_patterns() -> None:
    assert matches((), "HTTP_503") is False


POLICIES = st.builds(
    RetryPolicy,
    strategy=st.just(Strategy.AUTO),
    max_attempts=st.integers(1, 10**6),
    interval=st.floats(0, 1e308),
    backoff_rate=st.floats(0, 1e308),
    max_interval=st.floats(0, 1e308),
    jitter=st.sampled_from(Jitter),
)


@given(policy=POLICIES, retry=st.integers(1, 10**6), jitter=st.floats(0, 1, exclude_max=True))
def test_it_stays_between_its_bounds_for_every_policy(policy: RetryPolicy, retry: int, jitter: float) -> None:
    wait = delay_before(policy, retry, jitter=jitter)
    ceiling = delay_before(replace(policy, jitter=Jitter.NONE), retry, jitter=jitter)
    assert 0 <= wait <= ceiling <= min(policy.max_interval, LONGEST)
    if policy.jitter is Jitter.EQUAL:
        assert wait >= ceiling / 2


@given(policy=POLICIES, retries=st.integers(0, 10**6), after=st.floats(allow_nan=True))
def test_it_always_has_an_answer_in_the_calendar(policy: RetryPolicy, retries: int, after: float) -> None:
    decision = ask(policy, replace(BUSY, retry_after=after), retries=retries)
    assert (decision.at is None) == (retries >= policy.max_attempts)
    assert decision.at is None or decision.at >= START
