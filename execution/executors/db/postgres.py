"""PostgreSQL as a target, by psycopg."""

from __future__ import annotations

import importlib
import math
from typing import Any, ClassVar, Final

from disttask_project.kernel.messages import text
from execution.domain.outcome import Sort, TaskFailed
from execution.executors.db import vendor
from execution.executors.db.spec import ConnectionSpec
from execution.executors.db.statements import Dialect, Statement
from execution.executors.db.vendor import Fault, Vendor

_OPTIONS: Final = frozenset({"sslmode", "sslrootcert", "sslcert", "sslkey", "application_name", "options"})
_COLUMNS: Final = """
SELECT a.attname, COALESCE(a.attnum = ANY (i.indkey), false)
FROM pg_catalog.pg_attribute a
LEFT JOIN pg_catalog.pg_index i ON i.indrelid = a.attrelid AND i.indisprimary
WHERE a.attrelid = to_regclass(%s) AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum"""


class Postgres(Vendor):
    dialect: ClassVar[Dialect] = Dialect(quote='"', mark="%s")
    returns: ClassVar[frozenset[str]] = frozenset({"insert", "update", "delete"})
    barrier_ddl = f"""CREATE TABLE IF NOT EXISTS {vendor.BARRIER} (
        gid VARCHAR(255) NOT NULL, branch VARCHAR(140) NOT NULL, op VARCHAR(16) NOT NULL, result TEXT,
        created_at TIMESTAMPTZ NOT NULL DEFAULT now(), PRIMARY KEY (gid, branch, op))"""
    barrier_insert = f"INSERT INTO {vendor.BARRIER} (gid, branch, op) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING"  # noqa: S608

    def connect(self, spec: ConnectionSpec, timeout: float) -> Any:
        return _driver().connect(
            host=spec.host,
            port=spec.port,
            user=spec.user,
            password=spec.password or None,
            dbname=spec.name,
            connect_timeout=max(2, math.ceil(timeout)),  # libpq takes no less
            autocommit=True,
            **{"application_name": "disttask"} | {key: value for key, value in spec.options.items() if key in _OPTIONS},
        )

    def error_type(self) -> type[Exception]:
        error: type[Exception] = _driver().Error
        return error

    def fault(self, error: Exception) -> Fault:
        state = getattr(error, "sqlstate", None) or ""
        if not state or state.startswith("08") or state in {"57P01", "57P02", "57P03", "57P05"}:
            return vendor.lost() if isinstance(error, _driver().OperationalError) else vendor.bad_data()
        for states, fault in (
            (("40",), vendor.deadlock),
            (("55P03",), vendor.locked),
            (("57014",), vendor.too_slow),
            (("23", "44"), vendor.constraint),
            (("22",), vendor.bad_data),
            (("42501", "28"), vendor.forbidden),
            (("53", "25006", "57"), vendor.unavailable),
        ):
            if state.startswith(states):
                return fault()
        return vendor.bad_statement(missing_table=state == "42P01")

    def begin(self, connection: Any, seconds: float) -> None:
        limit = max(1, int(seconds * 1000))
        connection.execute(f"BEGIN; SET LOCAL statement_timeout = {limit}; SET LOCAL lock_timeout = {limit}")

    def columns(self, connection: Any, table: str) -> tuple[list[str], list[str]]:
        rows = self.run(connection, Statement(_COLUMNS, (self.dialect.table(table),))).fetchall()
        return [row[0] for row in rows], [row[0] for row in rows if row[1]]

    def ping(self, connection: Any) -> None:
        connection.execute("SELECT 1")

    def fileno(self, connection: Any) -> int | None:
        number: int = connection.fileno()
        return number


def _driver() -> Any:
    try:
        return importlib.import_module("psycopg")
    except ImportError as error:
        raise TaskFailed(
            Sort.REFUSED,
            "DB_DRIVER_MISSING",
            text(
                "The driver for {vendor} is not installed: pip install disttask[{extra}].",
                vendor="PostgreSQL",
                extra="postgres",
            ),
        ) from error
