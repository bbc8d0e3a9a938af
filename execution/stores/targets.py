"""The part of the store that drivers share their targets by: limits, breakers, windows, and who is parked.

Blocking, called from one thread of a driver; no transaction stays open. Raises `StoreUnavailable` like the rest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol

from execution.domain.breaker import Breaker


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetRow:
    """A target as it stands. Limits None: as the configuration says; 0: none."""

    id: str
    concurrency: int | None
    rate: float | None
    breaker: Breaker
    acts: bool
    rev: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a driver tells of a target: how it has answered lately."""

    target_id: str
    window: Sequence[Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """What a driver would like of a limited target. Limits 0: none."""

    target_id: str
    concurrency: int
    rate: float
    used: int
    want: int
    moments: int  # starts it could make soon, beyond the moments it has
    least: int  # ... and how many it needs even if they come late


@dataclass(frozen=True, slots=True, kw_only=True)
class Granted:
    """`permits` is None where concurrency has no limit."""

    permits: int | None = None
    times: Sequence[datetime] = field(default_factory=tuple)


class TargetStore(Protocol):
    def report(self, owner: str, reports: Sequence[Report], *, now: datetime) -> None:
        """Note windows; a target that is new gets its row."""

    def rows(self, ids: Sequence[str]) -> Mapping[str, TargetRow]:
        """The targets that act, and those named, as far as they have rows."""

    def windows(self, ids: Sequence[str], *, others_than: str, since: datetime) -> Mapping[str, Sequence[Any]]:
        """What other drivers have told of each target since then."""

    def take(self, owner: str, ask: Ask, *, lease: timedelta, horizon: float, now: datetime) -> Granted:
        """Permits and moments of a limited target, under its row's lock: never more in all than its limits allow."""

    def change(self, target_id: str, rev: int, breaker: Breaker, *, acts: bool) -> bool:
        """Write a breaker. False: somebody else was faster."""

    def wake(self, target_id: str, most: int, *, now: datetime) -> int:
        """Make up to `most` parked instances due, those that have waited longest first. Returns how many."""

    def has_parked(self, target_id: str, *, now: datetime) -> bool:
        """Whether anybody is parked for it."""

    def clear(self, owner: str, *, now: datetime) -> None:
        """Remove the shares of this owner, of long-gone drivers, and rows of parked work that mean nothing any more."""
