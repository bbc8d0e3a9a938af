"""Targets in SQL (`execution.stores.targets.TargetStore`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from disttask_project.kernel import json
from execution.domain.breaker import Breaker, BreakerState
from execution.domain.limiter import Share, grant, reserve
from execution.stores.sql.database import Cursor, Database
from execution.stores.sql.dialects.base import Dialect
from execution.stores.sql.schema import INSTANCE, PARKED, SHARE, TARGET
from execution.stores.targets import Ask, Granted, Report, TargetRow

BREAKER_COLUMNS: Final = ("state", "changed_at", "open_until", "opens", "forced", "forced_until")
COLUMNS: Final = ("id", "concurrency", "rate", *BREAKER_COLUMNS, "acts", "rev")
NEW_TARGET: Final = ("id", "state", "opens", "forced", "forced_by", "reason", "acts", "rev", "seen_at")
SHARE_COLUMNS: Final = ("id", "target_id", "owner", "permits", "want", "until", "window", "updated_at")
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
GONE_AFTER: Final = timedelta(minutes=10)
ROWS: Final = f"SELECT {{columns}} FROM {TARGET.name} WHERE acts = %s"  # noqa: S608
NAMED: Final = f"SELECT {{columns}} FROM {TARGET.name} WHERE id IN ({{ids}})"  # noqa: S608
WINDOWS: Final = (
    f"SELECT target_id, owner, {{window}} FROM {SHARE.name} "  # noqa: S608
    "WHERE target_id IN ({ids}) AND updated_at >= %s"
)
LOCKED: Final = f"SELECT next_start_at FROM {TARGET.name} WHERE id = %s"  # noqa: S608
SHARES: Final = f"SELECT owner, permits, want, until FROM {SHARE.name} WHERE target_id = %s AND until > %s"  # noqa: S608
NEXT_START: Final = f"UPDATE {TARGET.name} SET next_start_at = %s WHERE id = %s"  # noqa: S608
LONGEST: Final = (
    f"SELECT instance_id, until FROM {PARKED.name} WHERE target_id = %s AND until > %s "  # noqa: S608
    "ORDER BY until LIMIT %s"
)
STILL: Final = f"SELECT id, wake_at FROM {INSTANCE.name} WHERE id IN ({{ids}}) AND owner = ''"  # noqa: S608
DUE: Final = f"UPDATE {INSTANCE.name} SET wake_at = %s WHERE id IN ({{ids}})"  # noqa: S608
UNPARK: Final = f"DELETE FROM {PARKED.name} WHERE instance_id IN ({{ids}}) AND until <= %s"  # noqa: S608


class TargetSql:
    def __init__(self, database: Database) -> None:
        self._database = database

    def report(self, owner: str, reports: Sequence[Report], *, now: datetime) -> None:
        if not reports:
            return
        ordered = sorted(reports, key=lambda each: each.target_id)
        targets = [[each.target_id, "closed", 0, "", "", "", False, 0, now, now] for each in ordered]
        shares = [_share(each.target_id, owner, window=each.window, now=now) for each in ordered]
        with self._database.writing("targets") as cursor:
            cursor.upsert(TARGET, (*NEW_TARGET, "created_at"), ("seen_at",), targets, clean=True)
            cursor.upsert(SHARE, SHARE_COLUMNS, ("window", "updated_at"), shares, clean=True)

    def rows(self, ids: Sequence[str]) -> Mapping[str, TargetRow]:
        with self._database.reading() as cursor:
            columns = cursor.dialect.names(COLUMNS)
            found = cursor.rows(ROWS.format(columns=columns), [True])
            if ids:
                found += cursor.rows_in(NAMED.format(columns=columns, ids="{ids}"), sorted(ids))
            return {row[0]: _target(cursor.dialect, row) for row in found}

    def windows(self, ids: Sequence[str], *, others_than: str, since: datetime) -> Mapping[str, Sequence[Any]]:
        found: dict[str, list[Any]] = {}
        if not ids:
            return found
        with self._database.reading() as cursor:
            sql = WINDOWS.format(window=cursor.dialect.names(["window"]), ids="{ids}")
            for target_id, owner, window in cursor.rows_in(sql, sorted(ids), [cursor.dialect.time(since)]):
                if owner != others_than and window:
                    found.setdefault(target_id, []).append(json.loads_stored(window))
        return found

    def take(self, owner: str, ask: Ask, *, lease: timedelta, horizon: float, now: datetime) -> Granted:
        with self._database.writing("permits") as cursor:
            at = cursor.dialect.time(now)
            locked = cursor.rows(LOCKED + cursor.dialect.for_update, [ask.target_id])
            if not locked:
                return Granted(permits=0)  # its first report is still on its way
            permits: int | None = None
            if ask.concurrency:
                rows = cursor.rows(SHARES, [ask.target_id, at])
                others = [_read_share(cursor.dialect, row) for row in rows if row[0] != owner]
                permits = grant(limit=ask.concurrency, used=ask.used, want=ask.want, others=others, now=now)
                row = _share(
                    ask.target_id, owner, permits=permits, want=ask.want, until=now + lease, window=None, now=now
                )
                cursor.upsert(SHARE, SHARE_COLUMNS, ("permits", "want", "until"), [row])
            times: Sequence[datetime] = ()
            if ask.rate and ask.moments:
                moments = reserve(
                    rate=ask.rate,
                    next_at=cursor.dialect.read_time(locked[0][0]),
                    want=ask.moments,
                    least=ask.least,
                    horizon=horizon,
                    now=now,
                )
                times = moments.times
                cursor.run(NEXT_START, [cursor.dialect.time(moments.next_at), ask.target_id])
        return Granted(permits=permits, times=times)

    def change(self, target_id: str, rev: int, breaker: Breaker, *, acts: bool) -> bool:
        values = [*breaker_values(breaker), acts, rev + 1]
        with self._database.writing("breaker") as cursor:
            changed = (*BREAKER_COLUMNS, "acts", "rev")
            return bool(cursor.update(TARGET, ("id", "rev"), changed, [[target_id, rev, *values]]))

    def wake(self, target_id: str, most: int, *, now: datetime) -> int:
        if most <= 0:
            return 0
        with self._database.reading() as cursor:
            found = cursor.rows(LONGEST, [target_id, cursor.dialect.time(now), most])
        if not found:
            return 0
        with self._database.writing("wake") as cursor:
            dialect = cursor.dialect
            until = {row[0]: dialect.read_time(row[1]) for row in found}
            # Under lock each row is looked at again: another driver, or a person, may have been faster.
            locked = cursor.rows_in(f"{STILL} ORDER BY id{dialect.skip_locked}", sorted(until))
            due = [row[0] for row in locked if row[1] is not None and (dialect.read_time(row[1]) or now) > now]
            latest = max(at for at in until.values() if at is not None)
            if due:
                cursor.run(DUE.format(ids=_marks(due)), [dialect.time(now), *due])
            gone = sorted({row[0] for row in locked} | self._moved_on(cursor, until))
            if gone:
                cursor.run(UNPARK.format(ids=_marks(gone)), [*gone, dialect.time(latest)])
        return len(due)

    def _moved_on(self, cursor: Cursor, until: Mapping[str, datetime | None]) -> set[str]:
        """Parked rows of instances that have moved on: they would stand first in line for ever."""
        sql = f"SELECT id, wake_at FROM {INSTANCE.name} WHERE id IN ({{ids}})"  # noqa: S608
        there = {row[0]: cursor.dialect.read_time(row[1]) for row in cursor.rows_in(sql, sorted(until))}
        return {instance_id for instance_id, at in until.items() if there.get(instance_id) != at}

    def has_parked(self, target_id: str, *, now: datetime) -> bool:
        with self._database.reading() as cursor:
            return bool(cursor.rows(LONGEST, [target_id, cursor.dialect.time(now), 1]))

    def clear(self, owner: str, *, now: datetime) -> None:
        with self._database.reading() as cursor:
            gone = cursor.dialect.time(now - GONE_AFTER)
            cursor.run(f"DELETE FROM {SHARE.name} WHERE owner = %s", [owner])  # noqa: S608
            cursor.run(f"DELETE FROM {SHARE.name} WHERE updated_at < %s AND until < %s", [gone, gone])  # noqa: S608
            cursor.run(f"DELETE FROM {PARKED.name} WHERE until < %s", [gone])  # noqa: S608


def _marks(values: Sequence[Any]) -> str:
    return ", ".join(["%s"] * len(values))


def breaker_values(breaker: Breaker) -> list[Any]:
    return [
        str(breaker.state),
        breaker.changed_at,
        breaker.open_until,
        breaker.opens,
        str(breaker.forced or ""),
        breaker.forced_until,
    ]


def _share(
    target_id: str,
    owner: str,
    *,
    window: Any,
    now: datetime,
    permits: int = 0,
    want: int = 0,
    until: datetime | None = None,
) -> list[Any]:
    return [f"{target_id}|{owner}", target_id, owner, permits, want, until or now, window, now]


def _read_share(dialect: Dialect, row: Sequence[Any]) -> Share:
    return Share(permits=row[1], want=row[2], until=dialect.read_time(row[3]) or EPOCH)


def _target(dialect: Dialect, row: Sequence[Any]) -> TargetRow:
    target_id, concurrency, rate, state, changed_at, open_until, opens, forced, forced_until, acts, rev = row
    return TargetRow(
        id=target_id,
        concurrency=concurrency,
        rate=rate,
        breaker=Breaker(
            state=BreakerState(state),
            changed_at=dialect.read_time(changed_at),
            open_until=dialect.read_time(open_until),
            opens=opens,
            forced=BreakerState(forced) if forced else None,
            forced_until=dialect.read_time(forced_until),
        ),
        acts=bool(acts),
        rev=rev,
    )
