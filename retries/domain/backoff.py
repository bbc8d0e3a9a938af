"""When to try again (flow-definition 5): policy is data, the answer a value; no clock, no randomness of its own."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from execution.domain.outcome import Failure, Sort
from flows.domain.compiled import Jitter, RetryPolicy, Strategy

# The longest wait that is ever computed: keeps the exponent and the calendar in range.
LONGEST: Final = 366 * 24 * 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryDecision:
    """`at` None: no automatic retry; `reason` says why, in one stable word."""

    at: datetime | None
    reason: str


def delay_before(policy: RetryPolicy, retry: int, *, jitter: float) -> float:
    """Seconds before retry `retry` (1 is the first): `min(interval * rate^(retry-1), max_interval)`, then jitter.

    `jitter` is drawn from [0, 1). `equal` gives d/2..d, `full` 0..d (AWS architecture blog, "Exponential backoff and
    jitter"), `none` d.
    """
    ceiling = min(policy.max_interval, LONGEST)
    try:
        raw = policy.interval * float(policy.backoff_rate) ** (retry - 1)
    except OverflowError:
        raw = ceiling if policy.interval > 0 else 0.0
    base = max(0.0, min(raw, ceiling))
    match policy.jitter:
        case Jitter.EQUAL:
            return base / 2 + base / 2 * jitter
        case Jitter.FULL:
            return base * jitter
        case _:
            return base


def decide(
    policy: RetryPolicy,
    failure: Failure,
    *,
    retries: int,
    first_failed_at: datetime,
    now: datetime,
    jitter: float,
) -> RetryDecision:
    """Whether and when the task is tried again by rule. `retries` were spent in this run before this failure."""
    unknown = failure.sort is Sort.MAYBE_APPLIED
    # An unknown outcome is asked again under the same key, also where a person would otherwise decide (section 7).
    automatic = policy.strategy is Strategy.AUTO or (unknown and policy.strategy is Strategy.MANUAL)
    if not automatic:
        return RetryDecision(at=None, reason=str(policy.strategy))
    if matches(policy.no_retry_on, failure.code):
        return RetryDecision(at=None, reason="no_retry_on")
    named = matches(policy.retry_on, failure.code)
    if failure.sort is Sort.REFUSED and not named:
        return RetryDecision(at=None, reason="refused")
    if policy.retry_on and not named and not unknown:
        return RetryDecision(at=None, reason="retry_on")
    if retries >= policy.max_attempts:
        return RetryDecision(at=None, reason="max_attempts")
    wait = delay_before(policy, retries + 1, jitter=jitter)
    if failure.retry_after is not None:
        wait = max(wait, min(failure.retry_after, policy.max_interval, LONGEST))
    at = now + timedelta(seconds=wait)
    if policy.budget_seconds is not None and at > first_failed_at + timedelta(
        seconds=min(policy.budget_seconds, LONGEST)
    ):
        return RetryDecision(at=None, reason="budget_seconds")
    return RetryDecision(at=at, reason="")


def matches(patterns: tuple[str, ...], code: str) -> bool:
    """Whether a pattern names the code: the code itself, or its beginning before a trailing `*`."""
    return any(code.startswith(pattern[:-1]) if pattern.endswith("*") else code == pattern for pattern in patterns)
