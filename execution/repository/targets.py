"""What people do to targets, as rows; drivers write theirs through the store."""

from __future__ import annotations

from datetime import datetime

from execution.domain.breaker import Breaker, BreakerState
from execution.target_models import Target


def lock_target(target_id: str) -> Target | None:
    """The row, nobody else's until the transaction ends."""
    return Target.objects.select_for_update().filter(pk=target_id).first()


def new_target(target_id: str, *, now: datetime) -> Target:
    """A target that nobody has called yet, not saved."""
    return Target(id=target_id, seen_at=now, created_at=now)


def breaker_of(row: Target) -> Breaker:
    return Breaker(
        state=BreakerState(row.state),
        changed_at=row.changed_at,
        open_until=row.open_until,
        opens=row.opens,
        forced=BreakerState(row.forced) if row.forced else None,
        forced_until=row.forced_until,
    )


def save_breaker(row: Target, breaker: Breaker, *, by: str, reason: str) -> None:
    row.state = str(breaker.state)
    row.changed_at = breaker.changed_at
    row.open_until = breaker.open_until
    row.opens = breaker.opens
    row.forced = str(breaker.forced or "")
    row.forced_until = breaker.forced_until
    row.forced_by, row.reason = by, reason
    _save(row)


def save_limits(row: Target, *, concurrency: int | None, rate: float | None) -> None:
    row.concurrency, row.rate = concurrency, rate
    _save(row)


def _save(row: Target) -> None:
    """Drivers look at it from now on; they stop when nothing is left to look at."""
    row.acts = True
    row.rev += 1
    row.save()
