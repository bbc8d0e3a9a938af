"""Claim due instances: a fair share of each flow that is due, oldest first, each by one owner (architecture 4.3)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import chain, zip_longest
from typing import Any, Final, TypeVar

from execution.engine.core import SUSPECT
from execution.stores.base import Claim
from execution.stores.sql.database import Cursor, Database
from execution.stores.sql.schema import INSTANCE, chunks

# SQLite takes at most 500 members in a compound SELECT.
FLOWS_A_QUERY: Final = 100
# How far to look past instances that struck, so that they do not stand in the way of others.
WINDOW: Final = 1000

T = TypeVar("T")

# Of what a dialect's `first_due` gives.
DUE_FLOWS: Final = "SELECT d.id FROM ({first_due}) d WHERE d.first_at <= %s ORDER BY d.first_at LIMIT %s"
ANY_DUE: Final = "SELECT 1 FROM ({first_due}) d WHERE d.first_at <= %s LIMIT 1"
NEXT_DUE: Final = "SELECT MIN(d.first_at) FROM ({first_due}) d"
# A walk along the claim's index, no count: it ends at the limit.
BEYOND: Final = (
    f"SELECT 1 FROM {INSTANCE.name} WHERE flow_id = %s AND wake_at IS NOT NULL "  # noqa: S608
    "ORDER BY wake_at LIMIT 1 OFFSET %s"
)
OLDEST: Final = (
    f"SELECT id, strikes, owner FROM {INSTANCE.name} WHERE flow_id = %s AND wake_at <= %s "  # noqa: S608
    "ORDER BY wake_at LIMIT %s"
)
LOCK: Final = f"SELECT id, fence, strikes, owner FROM {INSTANCE.name} WHERE id IN ({{ids}}) AND wake_at <= %s"  # noqa: S608
# `strikes` first: MySQL evaluates assignments in order, and `owner` must still be the old one.
TAKE: Final = (
    f"UPDATE {INSTANCE.name} SET strikes = CASE WHEN owner <> '' THEN strikes + 1 ELSE strikes END, "  # noqa: S608
    "fence = fence + 1, owner = %s, lease_until = %s, wake_at = %s WHERE id IN ({ids})"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    id: str
    strikes: int  # with the one that a claim would add


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """How many to claim, and how the flows that are due share them (see `Store.claim`)."""

    limit: int
    held: Mapping[str, int] = field(default_factory=dict)
    most_of_flow: int | None = None

    def of(self, flows: Sequence[str]) -> dict[str, int]:
        """How many each flow may get at most. Whoever holds few goes first, so that little room is theirs."""
        quotas: dict[str, int] = {}
        ordered = sorted(flows, key=lambda flow: self.held.get(flow, 0))  # stable: else the one due first
        share = -(-self.limit // max(1, min(len(flows), self.limit)))
        for flow in ordered:
            most = share if self.most_of_flow is None else min(share, self.most_of_flow - self.held.get(flow, 0))
            if most > 0 and len(quotas) < self.limit:
                quotas[flow] = most
        return quotas


class ClaimSql:
    def __init__(self, database: Database) -> None:
        self._database = database

    def claim(self, owner: str, *, share: Share, struck_limit: int, lease: timedelta, now: datetime) -> Sequence[Claim]:
        at = self._database.dialect.time(now)
        with self._database.reading() as cursor:
            quotas = share.of(self._due_flows(cursor, at, max(share.limit, FLOWS_A_QUERY)))
            if not quotas:
                return ()
            chosen = self._choose(cursor, quotas, at, limit=share.limit, struck_limit=struck_limit)
        if not chosen:
            return ()
        return self._take(chosen, owner, until=self._database.dialect.time(now + lease), at=at)

    def _due_flows(self, cursor: Cursor, at: Any, limit: int) -> list[str]:
        return [row[0] for row in cursor.rows(_of(cursor, DUE_FLOWS), [at, limit])]

    def _choose(
        self, cursor: Cursor, quotas: Mapping[str, int], at: Any, *, limit: int, struck_limit: int
    ) -> list[str]:
        by_flow = self._oldest(cursor, quotas, at)
        crowded = {
            flow: quota + WINDOW
            for flow, quota in quotas.items()
            if len(by_flow[flow]) == quota and any(each.strikes for each in by_flow[flow])
        }
        if crowded:
            by_flow |= self._oldest(cursor, crowded, at)
        fresh = [[each.id for each in by_flow[flow] if not each.strikes][:quota] for flow, quota in quotas.items()]
        struck = [[each for each in by_flow[flow] if each.strikes] for flow in quotas]
        lane = _lane(list(_in_turn(struck)), max(0, min(struck_limit, limit)))
        return lane + list(_in_turn(fresh))[: limit - len(lane)]

    def _oldest(self, cursor: Cursor, counts: Mapping[str, int], at: Any) -> dict[str, list[Candidate]]:
        found: dict[str, list[Candidate]] = {flow: [] for flow in counts}
        for some in chunks(list(counts), FLOWS_A_QUERY):
            parts = [
                f"SELECT {number} AS n, d{number}.* FROM ({OLDEST}) d{number}"  # noqa: S608
                for number in range(len(some))
            ]
            params = list(chain.from_iterable((flow, at, counts[flow]) for flow in some))
            for number, instance_id, strikes, owner in cursor.rows(" UNION ALL ".join(parts), params):
                found[some[number]].append(Candidate(id=instance_id, strikes=strikes + bool(owner)))
        return found

    def _take(self, ids: Sequence[str], owner: str, *, until: Any, at: Any) -> list[Claim]:
        """Under lock each row is looked at again: a twin may have been faster since."""
        with self._database.writing("claim") as cursor:
            # Candidates of one claim fit one statement; locks are taken in id order like everybody's.
            marks = ", ".join(["%s"] * len(ids))
            rows = cursor.rows(f"{LOCK.format(ids=marks)} ORDER BY id{cursor.dialect.skip_locked}", [*sorted(ids), at])
            if rows:
                taken = [row[0] for row in rows]
                sql = TAKE.format(ids=", ".join(["%s"] * len(taken)))
                cursor.run(sql, [owner, until, until, *taken])
        return [Claim(instance_id=row[0], fence=row[1] + 1, strikes=row[2] + (1 if row[3] else 0)) for row in rows]

    def has_due(self, now: datetime) -> bool:
        with self._database.reading() as cursor:
            return bool(cursor.rows(_of(cursor, ANY_DUE), [self._database.dialect.time(now)]))

    def has_backlog(self, flow_id: str, most: int) -> bool:
        with self._database.reading() as cursor:
            return bool(cursor.rows(BEYOND, [flow_id, most]))

    def next_due(self) -> datetime | None:
        with self._database.reading() as cursor:
            return self._database.dialect.read_time(cursor.rows(_of(cursor, NEXT_DUE))[0][0])


def _of(cursor: Cursor, sql: str) -> str:
    return sql.format(first_due=cursor.dialect.first_due)


def _lane(struck: Sequence[Candidate], limit: int) -> list[str]:
    """One that would be parked by its next strike is tried alone: what dies beside a poison is no poison."""
    suspect = next((each for each in struck[:limit] if each.strikes >= SUSPECT), None)
    return [each.id for each in struck[:limit]] if suspect is None else [suspect.id]


def _in_turn(lists: Sequence[Sequence[T]]) -> Iterable[T]:
    """The first of each, then the second of each, ..."""
    return (item for row in zip_longest(*lists) for item in row if item is not None)
