"""Heartbeats of drivers."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from execution.stores.sql.database import Database
from execution.stores.sql.schema import SESSION

COLUMNS: Final = ("id", "host", "pid", "kind", "state", "in_flight", "started_at", "heartbeat_at")
CHANGED: Final = ("state", "in_flight", "heartbeat_at")
FRESHEST: Final = f"SELECT MAX(heartbeat_at) FROM {SESSION.name} WHERE state = 'running'"  # noqa: S608

assert set(COLUMNS) == set(SESSION.columns)


class SessionSql:
    def __init__(self, database: Database) -> None:
        self._database = database

    def beat(
        self, session_id: str, *, host: str, pid: int, kind: str, state: str, in_flight: int, now: datetime
    ) -> None:
        row = [session_id, host[:255], pid, kind, state, in_flight, now, now]
        with self._database.reading() as cursor:
            cursor.upsert(SESSION, COLUMNS, CHANGED, [row])

    def freshest_beat(self) -> datetime | None:
        with self._database.reading() as cursor:
            return self._database.dialect.read_time(cursor.rows(FRESHEST)[0][0])
