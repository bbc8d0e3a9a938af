"""A circuit breaker as values: what it lets pass, and what it becomes. Time is an argument.

closed: calls pass; after a closing by itself with a ramp. open: nothing passes until `open_until`. half_open: a few
calls at a time pass as probes; they decide. A person may force it open or closed, until a time or until further
notice; what is forced wins over everything else.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from execution.domain.health import Figures

DOUBLINGS: Final = 6  # of what may be in flight, from the first probes to the end of a ramp


class BreakerState(StrEnum):
    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerPolicy:
    """When a breaker opens and how it comes back. Times in seconds."""

    enabled: bool = True
    error_rate: float = 0.5
    min_calls: int = 20
    window: float = 60.0
    open_seconds: float = 30.0
    open_most: float = 300.0
    probes: int = 3
    ramp: float = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Breaker:
    """`changed_at`: since when its state holds; `opens`: how often in a row it has opened."""

    state: BreakerState = BreakerState.CLOSED
    changed_at: datetime | None = None
    open_until: datetime | None = None
    opens: int = 0
    forced: BreakerState | None = None
    forced_until: datetime | None = None

    def is_forced(self, now: datetime) -> bool:
        return self.forced is not None and (self.forced_until is None or now < self.forced_until)

    def state_at(self, now: datetime) -> BreakerState:
        """What holds now, with what is forced."""
        return self.forced if self.is_forced(now) and self.forced is not None else self.state

    def until(self, now: datetime) -> datetime | None:
        """When something will change by itself, if that is known: the end of what is forced, or the next probe."""
        if self.is_forced(now):
            return self.forced_until
        return self.open_until if self.state is BreakerState.OPEN else None

    def may_pass(self, now: datetime, policy: BreakerPolicy) -> int | None:
        """How many calls a driver may have in flight; None: as many as it likes."""
        state = self.state_at(now)
        if state is BreakerState.OPEN:
            return 0
        if self.is_forced(now):
            return None
        if state is BreakerState.HALF_OPEN:
            return policy.probes
        return self._ramp(now, policy)

    def _ramp(self, now: datetime, policy: BreakerPolicy) -> int | None:
        if not self.opens or self.changed_at is None or policy.ramp <= 0:
            return None
        elapsed = (now - self.changed_at).total_seconds()
        if elapsed >= policy.ramp:
            return None
        return math.floor(policy.probes * 2 ** (max(0.0, elapsed) / policy.ramp * DOUBLINGS))


def judge(breaker: Breaker, seen: Figures, policy: BreakerPolicy, *, now: datetime) -> Breaker:
    """What becomes of it, by the time and by the calls since it last changed. The same object: nothing."""
    if breaker.is_forced(now):
        return breaker
    if breaker.forced is not None:
        return _after_forced(breaker, policy, now=now)
    match breaker.state:
        case BreakerState.CLOSED:
            return _judge_closed(breaker, seen, policy, now=now)
        case BreakerState.OPEN:
            if breaker.open_until is not None and now < breaker.open_until and policy.enabled:
                return breaker
            return replace(breaker, state=BreakerState.HALF_OPEN, changed_at=now, open_until=None)
        case BreakerState.HALF_OPEN:
            return _judge_probes(breaker, seen, policy, now=now)


def _judge_closed(breaker: Breaker, seen: Figures, policy: BreakerPolicy, *, now: datetime) -> Breaker:
    # Well for a whole window: the next trouble is a new one.
    settled = breaker.changed_at is None or (now - breaker.changed_at).total_seconds() > policy.ramp + policy.window
    fresh = replace(breaker, opens=0) if breaker.opens and settled else breaker
    if policy.enabled and seen.calls >= policy.min_calls and seen.error_rate >= policy.error_rate:
        return _opened(fresh, policy, now=now)
    return fresh


def _judge_probes(breaker: Breaker, seen: Figures, policy: BreakerPolicy, *, now: datetime) -> Breaker:
    if seen.errors and policy.enabled:
        return _opened(breaker, policy, now=now)
    good = seen.calls - seen.errors
    since = breaker.changed_at or now
    # Where little is to be done, one good answer in the time of a probe is enough.
    waited = (now - since).total_seconds() >= policy.open_seconds
    if good >= policy.probes or (good and waited) or not policy.enabled:
        return closed(breaker, now=now)
    return breaker


def _after_forced(breaker: Breaker, policy: BreakerPolicy, *, now: datetime) -> Breaker:
    """The time of what was forced is over: after an opening it probes first."""
    free = replace(breaker, forced=None, forced_until=None)
    if breaker.forced is BreakerState.OPEN:
        return replace(free, state=BreakerState.HALF_OPEN, changed_at=now, open_until=None, opens=max(1, free.opens))
    return replace(free, state=BreakerState.CLOSED, changed_at=now, open_until=None, opens=0)


def _opened(breaker: Breaker, policy: BreakerPolicy, *, now: datetime) -> Breaker:
    seconds = min(policy.open_most, policy.open_seconds * 2.0 ** min(breaker.opens, 30))
    return replace(
        breaker,
        state=BreakerState.OPEN,
        changed_at=now,
        open_until=now + timedelta(seconds=seconds),
        opens=breaker.opens + 1,
    )


def closed(breaker: Breaker, *, now: datetime) -> Breaker:
    """Closed after having been open: what is parked comes back by a ramp."""
    return replace(
        breaker,
        state=BreakerState.CLOSED,
        changed_at=now,
        open_until=None,
        opens=max(1, breaker.opens),
        forced=None,
        forced_until=None,
    )


def forced(breaker: Breaker, state: BreakerState, *, until: datetime | None, now: datetime) -> Breaker:
    """As a person wants it, until a time or until further notice."""
    return replace(breaker, forced=state, forced_until=until, changed_at=now)
