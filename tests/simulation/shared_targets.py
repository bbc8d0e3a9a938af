"""Limits and breakers in memory: the meaning of `execution/stores/targets.py`, next to the rows they park."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from execution.domain.breaker import Breaker
from execution.domain.limiter import Share, grant, reserve
from execution.stores.targets import Ask, Granted, Report, TargetRow


@dataclass(slots=True)
class _Told:
    """What one owner has told of a target, and holds of it."""

    share: Share
    window: Sequence[Any] = ()
    at: datetime | None = None


class MemoryTargets:
    """`parked` gives the rows of instances that nobody owns and that say for which target they wait."""

    def __init__(self, parked: Callable[[], Iterable[Any]]) -> None:
        self._parked = parked
        self._rows: dict[str, TargetRow] = {}
        self._told: dict[tuple[str, str], _Told] = {}
        self._next_start: dict[str, datetime] = {}

    def act(self) -> bool:
        return any(row.acts for row in self._rows.values())

    def report(self, owner: str, reports: Sequence[Report], *, now: datetime) -> None:
        for each in reports:
            usual = TargetRow(id=each.target_id, concurrency=None, rate=None, breaker=Breaker(), acts=False, rev=0)
            self._rows.setdefault(each.target_id, usual)
            told = self._of(each.target_id, owner, now)
            told.window, told.at = each.window, now

    def _of(self, target_id: str, owner: str, now: datetime) -> _Told:
        return self._told.setdefault((target_id, owner), _Told(Share(permits=0, want=0, until=now)))

    def rows(self, ids: Sequence[str]) -> Mapping[str, TargetRow]:
        return {key: row for key, row in self._rows.items() if row.acts or key in ids}

    def windows(self, ids: Sequence[str], *, others_than: str, since: datetime) -> Mapping[str, Sequence[Any]]:
        found: dict[str, list[Any]] = {}
        for (target_id, owner), told in self._told.items():
            if target_id in ids and owner != others_than and told.window and told.at is not None and told.at >= since:
                found.setdefault(target_id, []).append(told.window)
        return found

    def take(self, owner: str, ask: Ask, *, lease: timedelta, horizon: float, now: datetime) -> Granted:
        if ask.target_id not in self._rows:
            return Granted(permits=0)
        permits: int | None = None
        if ask.concurrency:
            others = [told.share for key, told in self._told.items() if key[0] == ask.target_id and key[1] != owner]
            permits = grant(limit=ask.concurrency, used=ask.used, want=ask.want, others=others, now=now)
            self._of(ask.target_id, owner, now).share = Share(permits=permits, want=ask.want, until=now + lease)
        times: Sequence[datetime] = ()
        if ask.rate and ask.moments:
            at = self._next_start.get(ask.target_id)
            moments = reserve(rate=ask.rate, next_at=at, want=ask.moments, least=ask.least, horizon=horizon, now=now)
            times, self._next_start[ask.target_id] = moments.times, moments.next_at
        return Granted(permits=permits, times=times)

    def change(self, target_id: str, rev: int, breaker: Breaker, *, acts: bool) -> bool:
        row = self._rows[target_id]
        if row.rev != rev:
            return False
        self._rows[target_id] = replace(row, breaker=breaker, acts=acts, rev=rev + 1)
        return True

    def wake(self, target_id: str, most: int, *, now: datetime) -> int:
        waiting = [row for row in self._waiting(target_id) if row.wake_at > now]
        for row in sorted(waiting, key=lambda row: (row.wake_at, row.id))[: max(0, most)]:
            row.wake_at = now
        return min(len(waiting), max(0, most))

    def has_parked(self, target_id: str, *, now: datetime) -> bool:
        return any(row.wake_at > now for row in self._waiting(target_id))

    def _waiting(self, target_id: str) -> list[Any]:
        """Those that have moved on since are not meant."""
        parked = [row for row in self._parked() if row.parked["target_id"] == target_id]
        return [row for row in parked if row.wake_at is not None and row.wake_at == row.parked["until"]]

    def clear(self, owner: str, *, now: datetime) -> None:
        gone = now - timedelta(minutes=10)
        self._told = {key: told for key, told in self._told.items() if key[1] != owner and told.share.until >= gone}
