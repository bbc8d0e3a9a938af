"""MariaDB >= 10.6 and MySQL >= 8.0.1: literals, escaped by the driver's own C function.

The driver has no parameters on the wire; it writes literals too, but by a slow way through Python for each value.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar

from django.db.backends.base.base import BaseDatabaseWrapper

from disttask_project.kernel import json
from execution.stores.sql.dialects.base import Dialect, Row, Statement, clean, naive, new_names
from execution.stores.sql.schema import INSTANCE, Table

Literal = Callable[[Any], bytes]


class MysqlDialect(Dialect):
    now_sql: ClassVar[str] = "SELECT UTC_TIMESTAMP(6)"
    # By a skip scan: under a correlated flow it would read every finished instance of it, for want of a range.
    first_due: ClassVar[str] = (
        f"SELECT i.flow_id AS id, MIN(i.wake_at) AS first_at FROM {INSTANCE.name} i "  # noqa: S608
        "WHERE i.wake_at IS NOT NULL GROUP BY i.flow_id"
    )

    def __init__(self, connection: BaseDatabaseWrapper) -> None:
        super().__init__(connection)
        if not connection.features.has_select_for_update_skip_locked:
            self.skip_locked = self.for_update

    def time(self, value: datetime) -> str:
        return naive(value).isoformat(" ")

    def read_time(self, value: Any) -> datetime | None:
        return None if value is None else value.replace(tzinfo=UTC)

    def insert(self, table: Table, columns: Sequence[str], rows: Sequence[Row]) -> Statement:
        return self._insert(table, columns, rows, cleaned=False), None

    def upsert(
        self, table: Table, columns: Sequence[str], changed: Sequence[str], rows: Sequence[Row], *, clean: bool
    ) -> Statement:
        sets = ", ".join(f"{self.quote(column)} = VALUES({self.quote(column)})" for column in changed)
        inserted = self._insert(table, columns, rows, cleaned=clean)
        return inserted + f" ON DUPLICATE KEY UPDATE {sets}".encode(), None

    def update(
        self, table: Table, match: Sequence[str], changed: Sequence[str], rows: Sequence[Row], *, clean: bool
    ) -> Statement:
        literals = self._literals(table, (*match, *changed), cleaned=clean)
        named = [self.quote(name).encode() for name in new_names(match, changed)]
        first = b", ".join(value + b" AS " + name for value, name in zip(_row(literals, rows[0]), named, strict=True))
        selects = [first, *(b",".join(_row(literals, row)) for row in rows[1:])]
        # Literals carry the connection's collation, ids are binary: said here, the index of the ids still serves.
        where = " AND ".join(
            f"t.{self.quote(column)} = v.{self.quote(column)}{_collate(table, column)}" for column in match
        )
        sets = ", ".join(f"t.{self.quote(column)} = v.{self.quote(f'new_{column}')}" for column in changed)
        head = f"UPDATE {self.quote(table.name)} AS t JOIN (SELECT ".encode()
        return head + b" UNION ALL SELECT ".join(selects) + f") AS v ON {where} SET {sets}".encode(), None

    def _insert(self, table: Table, columns: Sequence[str], rows: Sequence[Row], *, cleaned: bool) -> bytes:
        literals = self._literals(table, columns, cleaned=cleaned)
        groups = b",".join(b"(" + b",".join(_row(literals, row)) + b")" for row in rows)
        return f"INSERT INTO {self.quote(table.name)} ({self.names(columns)}) VALUES ".encode() + groups  # noqa: S608

    def _literals(self, table: Table, columns: Sequence[str], *, cleaned: bool) -> list[Literal]:
        """How each column's value is written. The escaping is the connection's: it knows charset and mode."""
        self.connection.ensure_connection()
        escaped: Callable[[bytes], bytes] = self.connection.connection.string_literal
        dumps = json.dumps
        kinds: dict[str, Literal] = {
            "text": (lambda value: escaped(clean(value).encode()))
            if cleaned
            else (lambda value: escaped(value.encode())),
            "json": lambda value: escaped(dumps(value).encode()),
            "int": lambda value: b"%d" % value,
            "bool": lambda value: b"1" if value else b"0",
            "float": _float,
            "time": lambda value: b"'" + naive(value).isoformat(" ").encode() + b"'",
        }
        return [kinds[table.kinds[column]] for column in columns]


def _row(literals: Sequence[Literal], row: Row) -> list[bytes]:
    return [b"NULL" if value is None else literal(value) for literal, value in zip(literals, row, strict=True)]


def _float(value: float) -> bytes:
    if not math.isfinite(value):
        raise ValueError("a number that is not finite")
    return repr(float(value)).encode()


def _collate(table: Table, column: str) -> str:
    return " COLLATE utf8mb4_bin" if table.kinds[column] == "text" else ""
