"""Write new instances and new operator acts: idempotent by their ids, in the caller's transaction if there is one."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, TypeVar

from execution.stores.base import NewAction, NewInstance, RecordRefused, StoreUnavailable
from execution.stores.sql.database import Cursor, Database
from execution.stores.sql.schema import ACTION, INSTANCE, TAG

TRIES: Final = 5
ONE_STATEMENT: Final = 200  # rows, whatever the store's limit of parameters
CLOCK_FRESH: Final = 1.0  # seconds that a reading of the database's time is told on from
DIGESTS: Final = f"SELECT id, digest FROM {INSTANCE.name} WHERE id IN ({{ids}})"  # noqa: S608
BUMP: Final = (
    f"UPDATE {INSTANCE.name} SET inbox = inbox + 1, "  # noqa: S608
    "wake_at = CASE WHEN owner = '' THEN %s ELSE wake_at END WHERE id = %s"
)
INSTANCE_DEFAULTS: Final[Mapping[str, Any]] = {
    "status": "pending",
    "needs_attention": False,
    "closed": False,
    "output": None,
    "error": None,
    "fence": 0,
    "owner": "",
    "lease_until": None,
    "rev": 0,
    "seq": 0,
    "inbox": 0,
    "strikes": 0,
    "paused_from": "",
    "started_at": None,
    "completed_at": None,
}
ACTION_COLUMNS: Final = tuple(column for column in ACTION.columns if column not in ("verdict", "decided_at"))

T = TypeVar("T")


class StartClock:
    """The database's time, read again once a second and told from this host's monotonic clock in between."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._read: tuple[datetime, float] | None = None

    def now(self) -> datetime:
        read = self._read
        if read is None or time.monotonic() - read[1] > CLOCK_FRESH:
            found = self._database.now()
            # Counted from after the answer: told so, the time is never ahead, and a start is due at once.
            read = self._read = (found, time.monotonic())
        return read[0] + timedelta(seconds=time.monotonic() - read[1])


class StartSql:
    def __init__(self, database: Database) -> None:
        self._database = database
        self._clock = StartClock(database)

    def insert_instances(self, rows: Sequence[NewInstance]) -> Mapping[str, str]:
        ordered = sorted(rows, key=lambda row: row.id)
        if not ordered:
            return {}
        now = self._clock.now()
        return self._patiently(lambda: self._insert_new(ordered, now))

    def _insert_new(self, rows: Sequence[NewInstance], now: datetime) -> Mapping[str, str]:
        """Most ids are new, so none is looked for before an insert fails; a twin may be faster after a look too."""
        ids = [row.id for row in rows]
        there: dict[str, str] = {}
        for _ in range(TRIES):
            new = [row for row in rows if row.id not in there]
            try:
                if new:
                    self._write(new, now)
            except RecordRefused:
                with self._database.reading() as cursor:
                    found = dict(cursor.rows_in(DIGESTS, ids))
                if len(found) == len(there):
                    raise
                there = found
                continue
            return there
        raise StoreUnavailable("other starters of the same ids were faster five times in a row")

    def _write(self, rows: Sequence[NewInstance], now: datetime) -> None:
        """What fits one statement needs no transaction around it."""
        is_one = len(rows) <= ONE_STATEMENT and not any(row.tags for row in rows)
        with self._database.statement("start") if is_one else self._database.writing("start") as cursor:
            _insert(cursor, rows, now)

    def ask(self, action: NewAction, *, now: datetime) -> bool:
        return self._patiently(lambda: self._ask(action, now))

    def _ask(self, action: NewAction, now: datetime) -> bool:
        """The instance's row first: whoever writes it has it locked, and locks are taken in one order."""
        try:
            with self._database.writing("ask") as cursor:
                at = cursor.dialect.time(now)
                if not cursor.run(BUMP, [at, action.instance_id]):
                    raise LookupError(action.instance_id)
                values = list(map(_action_values(action, now).__getitem__, ACTION_COLUMNS))
                cursor.insert(ACTION, ACTION_COLUMNS, [values])
        except RecordRefused:
            with self._database.reading() as cursor:
                sql = f"SELECT id FROM {ACTION.name} WHERE open_key = %s"  # noqa: S608
                found = [row[0] for row in cursor.rows(sql, [_open_key(action)])]
            if not found:
                raise
            # Our own id: an earlier try was committed and its answer lost.
            return found == [action.id]
        return True

    def _patiently(self, work: Callable[[], T]) -> T:
        """Deadlocks and busy files pass; inside a caller's transaction only the caller can try again."""
        for attempt in range(1, TRIES + 1):
            try:
                return work()
            except StoreUnavailable:
                if attempt == TRIES or self._database.connection.in_atomic_block:
                    raise
                time.sleep(random.uniform(0.01, 0.03) * attempt)  # noqa: S311  spreads rivals, guards nothing
        raise AssertionError("unreachable")


def _insert(cursor: Cursor, rows: Sequence[NewInstance], now: datetime) -> None:
    columns = INSTANCE.columns
    values = [list(map(_instance_values(row, now).__getitem__, columns)) for row in rows]
    cursor.insert(INSTANCE, columns, values)
    tags = [[f"{row.id}:{key}", row.id, key, value] for row in rows for key, value in sorted(row.tags.items())]
    if tags:
        cursor.insert(TAG, ("id", "instance_id", "key", "value"), tags)


def _instance_values(row: NewInstance, now: datetime) -> dict[str, Any]:
    deadline = None if row.deadline_seconds is None else now + timedelta(seconds=row.deadline_seconds)
    return {
        **INSTANCE_DEFAULTS,
        "id": row.id,
        "flow_id": row.flow_id,
        "version_id": row.version_id,
        "params": row.params,
        "digest": row.digest,
        "wake_at": now,
        "deadline_at": deadline,
        "created_at": now,
        "updated_at": now,
        "create_user": row.create_user,
        "request_id": row.request_id,
    }


def _open_key(action: NewAction) -> str:
    return f"{action.instance_id}:{action.task_id}:{action.act}"


def _action_values(action: NewAction, now: datetime) -> dict[str, Any]:
    return {
        "id": action.id,
        "instance_id": action.instance_id,
        "task_id": action.task_id,
        "act": action.act,
        "payload": dict(action.payload),
        "reason": action.reason,
        "actor": action.actor,
        "source": action.source,
        "request_id": action.request_id,
        "address": action.address,
        "state": "asked",
        "open_key": _open_key(action),
        "asked_at": now,
    }
