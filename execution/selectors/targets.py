"""Targets as they stand: breaker, figures of the last minute from all drivers, limits, and who is parked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from disttask_project.kernel.errors import NotFound
from disttask_project.kernel.messages import Message, text
from execution.domain.breaker import BreakerState
from execution.domain.health import BUCKET, Figures, figures, read_window
from execution.engine.loading import target_settings
from execution.repository.targets import breaker_of
from execution.target_models import Parked, Target, TargetShare

MOST: Final = 500  # targets shown at once, those that act first, then the latest called
MOST_PARKED: Final = 10_000  # a count stops there


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetView:
    """One target. Limits 0: none. `until`: the next probe, or the end of what a person forced."""

    id: str
    type: str
    address: str
    state: str
    forced: str
    forced_by: str
    reason: str
    since: datetime | None
    until: datetime | None
    figures: Figures
    parked: int
    concurrency: int
    rate: float
    limits_from: str  # "", configuration, person
    seen_at: datetime

    @property
    def parked_is_more(self) -> bool:
        return self.parked > MOST_PARKED

    @property
    def error_percent(self) -> float:
        return round(100 * self.figures.error_rate, 1)


def list_targets(*, now: datetime) -> list[TargetView]:
    """At most 500: those that act, then the latest called."""
    return _views(list(Target.objects.order_by("-acts", "-seen_at", "pk")[:MOST]), now)


def get_target(target_id: str, *, now: datetime) -> TargetView:
    """Raises `NotFound`."""
    rows = list(Target.objects.filter(pk=target_id))
    if not rows:
        raise NotFound(text("No call has gone to a target {id} yet.", id=target_id), symbol="TARGET_NOT_FOUND")
    return _views(rows, now)[0]


def find_target(target_id: str, *, now: datetime) -> TargetView | None:
    rows = list(Target.objects.filter(pk=target_id)) if target_id else []
    return _views(rows, now)[0] if rows else None


def is_shut(view: TargetView) -> bool:
    return view.state != BreakerState.CLOSED


def words_of(view: TargetView, code: str) -> Message:
    """Why an instance waits for this target."""
    if view.forced == BreakerState.OPEN:
        message = text("The breaker of {target} was opened by {actor}: {reason}", **_who(view))
    elif view.state == BreakerState.OPEN:
        message = text("The breaker of {target} is open: too many of its calls failed.", target=view.id)
    elif view.state == BreakerState.HALF_OPEN:
        message = text("The breaker of {target} is half-open: a few calls find out whether it is well.", target=view.id)
    elif code == "breaker":
        message = text("The breaker of {target} has closed: what waited comes back step by step.", target=view.id)
    else:
        message = text("{target} takes no more calls for now: its limit is used up.", target=view.id)
    return message


def _who(view: TargetView) -> dict[str, str]:
    return {"target": view.id, "actor": view.forced_by, "reason": view.reason}


def _views(rows: Sequence[Target], now: datetime) -> list[TargetView]:
    settings = target_settings()
    ids = [row.pk for row in rows]
    seconds = settings.policy.window
    fresh = now - timedelta(seconds=seconds + BUCKET)
    windows: dict[str, list[object]] = {}
    shares = TargetShare.objects.filter(target_id__in=ids, updated_at__gte=fresh)
    for target_id, window in shares.values_list("target_id", "window"):
        windows.setdefault(target_id, []).append(window)
    return [
        _view(row, figures(map(read_window, windows.get(row.pk, ())), now=now.timestamp(), seconds=seconds), now)
        for row in rows
    ]


def _view(row: Target, seen: Figures, now: datetime) -> TargetView:
    breaker = breaker_of(row)
    type_, _, address = row.pk.partition(":")
    usual = target_settings().limits.get(row.pk)
    by_hand = row.concurrency is not None or row.rate is not None
    is_forced = breaker.is_forced(now)
    # A target that does not act has nobody parked: nothing to count.
    parked = Parked.objects.filter(target_id=row.pk, until__gt=now)[: MOST_PARKED + 1].count() if row.acts else 0
    concurrency, rate = usual or (0, 0.0)
    return TargetView(
        id=row.pk,
        type=type_,
        address=address,
        state=str(breaker.state_at(now)),
        forced=str(breaker.forced or "") if is_forced else "",
        forced_by=row.forced_by if is_forced else "",
        reason=row.reason if is_forced else "",
        since=breaker.changed_at,
        until=breaker.until(now),
        figures=seen,
        parked=parked,
        concurrency=concurrency if row.concurrency is None else row.concurrency,
        rate=rate if row.rate is None else row.rate,
        limits_from="person" if by_hand else "configuration" if usual else "",
        seen_at=row.seen_at,
    )
