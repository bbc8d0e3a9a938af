"""SQLite as a target."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import quote

from execution.executors.db import vendor
from execution.executors.db.spec import ConnectionSpec
from execution.executors.db.statements import Dialect
from execution.executors.db.vendor import Fault, Vendor

_BUSY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
_SHORT_OF = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_NOMEM}
_STEPS = 10_000  # of the virtual machine between two looks at the clock


class Sqlite(Vendor):
    dialect: ClassVar[Dialect] = Dialect(quote='"', mark="?")
    returns: ClassVar[frozenset[str]] = frozenset({"insert", "update", "delete"})
    barrier_ddl = f"""CREATE TABLE IF NOT EXISTS {vendor.BARRIER} (
        gid TEXT NOT NULL, branch TEXT NOT NULL, op TEXT NOT NULL, result TEXT,
        created_at TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP, PRIMARY KEY (gid, branch, op))"""
    barrier_insert = f"INSERT INTO {vendor.BARRIER} (gid, branch, op) VALUES (?, ?, ?) ON CONFLICT DO NOTHING"  # noqa: S608

    def connect(self, spec: ConnectionSpec, timeout: float) -> Any:
        # mode=rw: a wrong path must not become an empty database.
        path = quote(str(Path(spec.name).absolute()))
        connection = sqlite3.connect(
            f"file:{path}?mode=rw", uri=True, timeout=timeout, isolation_level=None, check_same_thread=False
        )
        connection.execute("PRAGMA foreign_keys = ON")
        return connection

    def error_type(self) -> type[Exception]:
        return sqlite3.Error

    def fault(self, error: Exception) -> Fault:
        code = (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF
        if isinstance(error, sqlite3.IntegrityError):
            return vendor.constraint()
        if code in _BUSY:
            return vendor.locked()
        if code == sqlite3.SQLITE_INTERRUPT:
            return vendor.too_slow()
        if code in _SHORT_OF:
            return vendor.unavailable()
        if isinstance(error, sqlite3.OperationalError | sqlite3.ProgrammingError) and code != sqlite3.SQLITE_MISMATCH:
            return vendor.bad_statement(missing_table="no such table" in str(error))
        return vendor.bad_data()

    def begin(self, connection: Any, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        connection.set_progress_handler(lambda: time.monotonic() > deadline, _STEPS)
        connection.execute(f"PRAGMA busy_timeout = {int(seconds * 1000)}")
        # IMMEDIATE: a transaction that turns from reading to writing cannot wait for the lock.
        connection.execute("BEGIN IMMEDIATE")

    def columns(self, connection: Any, table: str) -> tuple[list[str], list[str]]:
        schema, _, name = table.rpartition(".")
        rows = connection.execute("SELECT name, pk FROM pragma_table_info(?, ?)", (name, schema or "main")).fetchall()
        return [row[0] for row in rows], [row[0] for row in sorted(rows, key=lambda row: row[1]) if row[1]]

    def ping(self, connection: Any) -> None:
        connection.execute("SELECT 1")
