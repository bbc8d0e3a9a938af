"""SQLite: parameters, and one writer at a time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar, Final

from disttask_project.kernel import json
from execution.stores.sql.dialects.base import (
    ROWS_A_STATEMENT,
    Binder,
    Dialect,
    Row,
    Statement,
    clean,
    naive,
    new_names,
)
from execution.stores.sql.schema import Table

MAX_PARAMS: Final = 32_000  # of the 32,766 it takes


class SqliteDialect(Dialect):
    """A write transaction takes the lock when it begins, so rows need none."""

    for_update: ClassVar[str] = ""
    skip_locked = ""
    begin: ClassVar[str] = "BEGIN IMMEDIATE"

    def rows_for(self, width: int) -> int:
        return max(1, min(ROWS_A_STATEMENT, MAX_PARAMS // max(1, width)))

    def time(self, value: datetime) -> str:
        return str(naive(value))

    def read_time(self, value: Any) -> datetime | None:
        # Django's converter makes a time of a plain column; an expression over it stays text.
        found = datetime.fromisoformat(value) if isinstance(value, str) else value
        return None if found is None else found.replace(tzinfo=UTC)

    def insert(self, table: Table, columns: Sequence[str], rows: Sequence[Row]) -> Statement:
        return self._insert(table, columns, rows, cleaned=False)

    def upsert(
        self, table: Table, columns: Sequence[str], changed: Sequence[str], rows: Sequence[Row], *, clean: bool
    ) -> Statement:
        sql, params = self._insert(table, columns, rows, cleaned=clean)
        return sql + self.on_conflict(table, changed), params

    def update(
        self, table: Table, match: Sequence[str], changed: Sequence[str], rows: Sequence[Row], *, clean: bool
    ) -> Statement:
        # VALUES names its columns column1, column2, ... here and takes no list of names. (A common table
        # expression would name them, but then Python's sqlite3 no longer counts the rows.)
        named = new_names(match, changed)
        aliased = ", ".join(f"column{number} AS {self.quote(name)}" for number, name in enumerate(named, 1))
        sets = ", ".join(f"{self.quote(column)} = v.{self.quote(f'new_{column}')}" for column in changed)
        where = " AND ".join(f"t.{self.quote(column)} = v.{self.quote(column)}" for column in match)
        sql = (
            f"UPDATE {self.quote(table.name)} AS t SET {sets} "  # noqa: S608
            f"FROM (SELECT {aliased} FROM (VALUES {_marks(len(named), len(rows))})) AS v WHERE {where}"
        )
        return sql, self._bind(table, (*match, *changed), rows, cleaned=clean)

    def _insert(
        self, table: Table, columns: Sequence[str], rows: Sequence[Row], *, cleaned: bool
    ) -> tuple[str, list[Any]]:
        marks = _marks(len(columns), len(rows))
        sql = f"INSERT INTO {self.quote(table.name)} ({self.names(columns)}) VALUES {marks}"  # noqa: S608
        return sql, self._bind(table, columns, rows, cleaned=cleaned)

    def _bind(self, table: Table, columns: Sequence[str], rows: Sequence[Row], *, cleaned: bool) -> list[Any]:
        binders: dict[str, Binder | None] = {"json": json.dumps, "time": self.time, "text": clean if cleaned else None}
        each = [binders.get(table.kinds[column]) for column in columns]
        return [
            value if value is None or binder is None else binder(value)
            for row in rows
            for binder, value in zip(each, row, strict=True)
        ]


def _marks(width: int, count: int) -> str:
    return ", ".join([f"({', '.join(['%s'] * width)})"] * count)
