"""Limits of a target shared by drivers: permits for what is in flight, moments for what may start. Time is an argument.

Both are handed out under the lock of the target's row, so that what all drivers have never exceeds the limit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

MOMENT_LASTS: Final = 1.0  # seconds after which a moment that was not used is lost: nothing is saved up


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """What one driver has of a target: permits that count until `until`, and how many calls it would have in flight."""

    permits: int
    want: int
    until: datetime

    def counts(self, now: datetime) -> bool:
        return self.until > now


def grant(*, limit: int, used: int, want: int, others: Sequence[Share], now: datetime) -> int:
    """How many permits a driver has from now on: at least what it uses, as far as the others leave any.

    While somebody else has too few, nobody keeps more than its even part beyond what it uses.
    """
    alive = [share for share in others if share.counts(now)]
    left = max(0, limit - sum(share.permits for share in alive))
    claimants = 1 + sum(share.want > 0 for share in alive)
    others_lack = any(share.want > share.permits for share in alive)
    even = max(1, limit // claimants) if others_lack else limit
    return min(left, max(used, min(want, even)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Moments:
    """Reserved starts: `times` are this driver's alone; `next_at` is the first that is nobody's yet."""

    times: Sequence[datetime]
    next_at: datetime


def reserve(
    *, rate: float, next_at: datetime | None, want: int, least: int = 0, horizon: float, now: datetime
) -> Moments:
    """Moments evenly spaced by 1 / `rate`: as many as are wanted within `horizon` seconds from now, `least` anyhow."""
    step = timedelta(seconds=1.0 / rate)
    at = now if next_at is None or next_at < now else next_at
    end = now + timedelta(seconds=horizon)
    times: list[datetime] = []
    while len(times) < want and (at <= end or len(times) < least):
        times.append(at)
        at += step
    return Moments(times=times, next_at=at)
