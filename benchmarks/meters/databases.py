"""What a database server counted: statements, commits, log written, log flushes; and how durable it is set up."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

MARIADB_STATUS: Final = {
    "Questions": "statements",
    "Com_commit": "commits",
    "Innodb_os_log_written": "log_bytes",
    "Innodb_data_fsyncs": "syncs",
}
MARIADB_DURABLE: Final = (
    "innodb_flush_log_at_trx_commit",
    "innodb_doublewrite",
    "tx_isolation",
    "sync_binlog",
    "log_bin",
)
POSTGRES_DURABLE: Final = ("fsync", "synchronous_commit", "full_page_writes", "wal_sync_method", "shared_buffers")
# Sessions hand their counters over about once a second.
POSTGRES_LAG: Final = 1.1


class MariadbMeter:
    def __init__(self, url: str) -> None:
        self._where = _where(url, "user", "passwd", "db")

    def _rows(self, statement: str) -> list[tuple[str, str]]:
        import MySQLdb

        connection = MySQLdb.connect(**self._where)
        try:
            cursor = connection.cursor()
            cursor.execute(statement)
            return list(cursor.fetchall())
        finally:
            connection.close()

    def read(self) -> dict[str, float]:
        rows = dict(self._rows("SHOW GLOBAL STATUS"))
        return {name: float(rows[variable]) for variable, name in MARIADB_STATUS.items()}

    def durability(self) -> dict[str, str]:
        rows = dict(self._rows("SHOW GLOBAL VARIABLES"))
        return {"version": rows["version"]} | {name: rows[name] for name in MARIADB_DURABLE if name in rows}


class PostgresMeter:
    """Statements need pg_stat_statements (preloaded); all databases are counted."""

    def __init__(self, url: str) -> None:
        self._where = _where(url, "user", "password", "dbname")

    def _one(self, statement: str) -> tuple[Any, ...]:
        import psycopg

        with psycopg.connect(**self._where, autocommit=True) as connection:
            return connection.execute(statement).fetchone() or ()

    def prepare(self) -> None:
        import psycopg

        with psycopg.connect(**self._where, autocommit=True) as connection:
            connection.execute("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")

    def read(self) -> dict[str, float]:
        time.sleep(POSTGRES_LAG)
        statements = self._one("SELECT coalesce(sum(calls), 0) FROM pg_stat_statements")[0]
        log, syncs = self._one("SELECT pg_current_wal_lsn() - '0/0', wal_sync FROM pg_stat_wal")
        commits = self._one("SELECT sum(xact_commit) FROM pg_stat_database")[0]
        return {
            "statements": float(statements),
            "commits": float(commits),
            "log_bytes": float(log),
            "syncs": float(syncs),
        }

    def durability(self) -> dict[str, str]:
        shown = {name: str(self._one(f"SHOW {name}")[0]) for name in ("server_version", *POSTGRES_DURABLE)}
        return {"version": shown.pop("server_version")} | shown


Meter = MariadbMeter | PostgresMeter


def meter_of(url: str) -> Meter:
    return MariadbMeter(url) if urlsplit(url).scheme == "mysql" else PostgresMeter(url)


def spent(before: Mapping[str, float], after: Mapping[str, float]) -> dict[str, float]:
    return {name: after[name] - before[name] for name in before}


def _where(url: str, user: str, password: str, name: str) -> dict[str, Any]:
    parts = urlsplit(url)
    given = {user: parts.username, password: parts.password, name: parts.path.removeprefix("/")}
    return {"host": parts.hostname, "port": parts.port, **{key: value for key, value in given.items() if value}}
