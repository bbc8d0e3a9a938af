"""Connections to targets: one a thread and name, checked before use after a pause."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

from disttask_project.kernel.messages import text
from execution.domain.outcome import Sort, TaskFailed
from execution.executors.db.mysql import Mysql
from execution.executors.db.postgres import Postgres
from execution.executors.db.spec import ConnectionSpec
from execution.executors.db.sqlite import Sqlite
from execution.executors.db.vendor import BARRIER, Vendor
from execution.executors.sealing import outside_text

VENDORS: Final[Mapping[str, type[Vendor]]] = {"sqlite": Sqlite, "mysql": Mysql, "postgres": Postgres}
_IDLE_SECONDS: Final = 10.0  # after which a connection is asked whether it lives
_SCHEMA_SECONDS: Final = 60.0  # how long a table's columns are believed


@dataclass(slots=True, kw_only=True)
class Session:
    """A connection of one thread."""

    spec: ConnectionSpec
    vendor: Vendor
    connection: Any
    used_at: float = field(default_factory=time.monotonic)
    has_barrier: bool = False
    tables: dict[str, tuple[float, list[str], list[str]]] = field(default_factory=dict)

    def columns(self, table: str, *, fresh: bool = False) -> tuple[list[str], list[str]]:
        """Columns and primary key of a table, from the live schema."""
        known = self.tables.get(table)
        if known is None or fresh or time.monotonic() - known[0] > _SCHEMA_SECONDS:
            known = (time.monotonic(), *self.vendor.columns(self.connection, table))
            self.tables[table] = known
        return known[1], known[2]

    def create_barrier(self) -> None:
        """Make the barrier table unless it is there. Raises the driver's error, `TaskFailed` where not
        allowed.
        """
        if not self.spec.create_barrier:
            raise TaskFailed(
                Sort.REFUSED,
                "DB_BARRIER_MISSING",
                text(
                    "The table {table} is missing on {name}. Make it with: manage.py createbarrier {name}",
                    table=BARRIER,
                    name=self.spec.alias,
                ),
            )
        self.connection.cursor().execute(self.vendor.barrier_ddl)

    def close(self) -> None:
        with suppress(Exception):
            self.connection.close()


class Sessions:
    """All connections of a process, by thread and name."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: dict[tuple[int, str], Session] = {}

    def take(self, spec: ConnectionSpec, *, deadline: float) -> Session:
        """This thread's connection; made, or made anew if it died. Raises `TaskFailed` (never sent)."""
        place = (threading.get_ident(), spec.alias)
        with self._lock:
            session = self._open.get(place)
        if session is not None and session.spec == spec and self._lives(session):
            session.used_at = time.monotonic()
            return session
        if session is not None:
            self.drop(session)
        made = connect(spec, timeout=min(spec.connect_timeout, max(0.1, deadline - time.monotonic())))
        with self._lock:
            self._open[place] = made
        return made

    def _lives(self, session: Session) -> bool:
        if time.monotonic() - session.used_at < _IDLE_SECONDS:
            return True
        try:
            session.vendor.ping(session.connection)
        except session.vendor.error_type():
            return False
        return True

    def drop(self, session: Session) -> None:
        """Close a connection whose state is not known."""
        with self._lock:
            for place, known in list(self._open.items()):
                if known is session:
                    del self._open[place]
        session.close()

    def close(self) -> None:
        with self._lock:
            sessions, self._open = list(self._open.values()), {}
        for session in sessions:
            session.close()


def connect(spec: ConnectionSpec, *, timeout: float) -> Session:
    """A new connection. Raises `TaskFailed` (never sent)."""
    vendor = VENDORS[spec.vendor]()
    error_type = vendor.error_type()
    try:
        return Session(spec=spec, vendor=vendor, connection=vendor.connect(spec, timeout))
    except (error_type, OSError) as error:
        reason = outside_text(error, 500).strip().rstrip(".")
        raise TaskFailed(
            Sort.NEVER_SENT,
            "DB_CONNECT_FAILED",
            text("No connection to the database {name}: {reason}.", name=spec.alias, reason=reason),
            type="DatabaseError",
        ) from error
