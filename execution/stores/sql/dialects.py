"""What differs between SQLite, MariaDB/MySQL and PostgreSQL: the words of multi-row statements and of times.

Statements take `%s` placeholders and rows of values that `bind` has made ready for the driver.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar, Final

from django.db.backends.base.base import BaseDatabaseWrapper

from disttask_project.kernel import json
from execution.stores.sql.schema import Table

Row = Sequence[Any]
ROWS_A_STATEMENT: Final = 500


def _naive(value: datetime) -> datetime:
    return value.astimezone(UTC).replace(tzinfo=None)


def _plain(value: Any) -> str:
    # Enums and messages are str with a class of their own, which drivers look up slowly or not at all.
    return str(value)


def _clean(value: Any) -> str:
    return json.clean_text(str(value))


class Dialect:
    """PostgreSQL's form; the others say where they differ."""

    max_params: ClassVar[int] = 65_000
    for_update: ClassVar[str] = " FOR UPDATE"
    skip_locked: str = " FOR UPDATE SKIP LOCKED"
    begin: ClassVar[str] = "BEGIN"
    now_sql: ClassVar[str] = "SELECT clock_timestamp()"
    casts: ClassVar[Mapping[str, str]] = {
        "text": "::text",
        "json": "::text",
        "int": "::bigint",
        "float": "::double precision",
        "bool": "::boolean",
        "time": "::timestamptz",
    }

    def __init__(self, connection: BaseDatabaseWrapper) -> None:
        self.quote = connection.ops.quote_name

    # Values

    def time(self, value: datetime) -> Any:
        return value

    def read_time(self, value: Any) -> datetime | None:
        return value if value is None else value.astimezone(UTC)

    def binder(self, kind: str) -> Callable[[Any], Any]:
        """How a value of this kind is handed to the driver; None is never passed."""
        return {"json": json.dumps, "time": self.time, "text": _plain}.get(kind, _as_it_is)

    def bind(
        self, table: Table, columns: Sequence[str], rows: Sequence[Row], *, clean: bool = False
    ) -> list[list[Any]]:
        """The rows ready for the driver; `clean`: their text comes from outside and may hold what no store takes."""
        binders = [self.binder(table.kinds[column]) for column in columns]
        if clean:
            binders = [_clean if binder is _plain else binder for binder in binders]
        return [
            [None if value is None else binder(value) for binder, value in zip(binders, row, strict=True)]
            for row in rows
        ]

    # Statements

    def rows_for(self, width: int) -> int:
        """How many rows of this many parameters one statement takes."""
        return max(1, min(ROWS_A_STATEMENT, self.max_params // max(1, width)))

    def names(self, columns: Sequence[str]) -> str:
        return ", ".join(self.quote(column) for column in columns)

    def insert(self, table: Table, columns: Sequence[str], count: int) -> str:
        group = f"({', '.join(['%s'] * len(columns))})"
        return f"INSERT INTO {self.quote(table.name)} ({self.names(columns)}) VALUES {', '.join([group] * count)}"  # noqa: S608

    def upsert(self, table: Table, columns: Sequence[str], changed: Sequence[str], count: int) -> str:
        """Insert; where the key is there already, set the `changed` columns."""
        sets = ", ".join(f"{self.quote(column)} = excluded.{self.quote(column)}" for column in changed)
        return f"{self.insert(table, columns, count)} ON CONFLICT ({self.quote(table.key)}) DO UPDATE SET {sets}"

    def update(self, table: Table, match: Sequence[str], changed: Sequence[str], count: int) -> str:
        """Set `changed` of many rows, each found by its `match` columns; parameters a row: match, then changed.

        A changed column that is matched too is named `new_<column>` in the row.
        """
        first = ", ".join(f"%s{self.casts.get(table.kinds[column], '')}" for column in (*match, *changed))
        other = ", ".join(["%s"] * (len(match) + len(changed)))
        rows = ", ".join([f"({first})", *[f"({other})"] * (count - 1)])
        aliases = self.names([*match, *(f"new_{column}" for column in changed)])
        sets = ", ".join(f"{self.quote(column)} = v.{self.quote(f'new_{column}')}" for column in changed)
        where = " AND ".join(f"t.{self.quote(column)} = v.{self.quote(column)}" for column in match)
        return f"UPDATE {self.quote(table.name)} AS t SET {sets} FROM (VALUES {rows}) AS v ({aliases}) WHERE {where}"  # noqa: S608


class SqliteDialect(Dialect):
    """One writer at a time: a write transaction takes the lock when it begins, so rows need none."""

    max_params = 32_000
    for_update = ""
    skip_locked = ""
    begin = "BEGIN IMMEDIATE"
    now_sql = ""
    casts: ClassVar[Mapping[str, str]] = {}

    def time(self, value: datetime) -> Any:
        return str(_naive(value))

    def read_time(self, value: Any) -> datetime | None:
        # Django's converter makes a time of a plain column; an expression over it stays text.
        found = datetime.fromisoformat(value) if isinstance(value, str) else value
        return None if found is None else found.replace(tzinfo=UTC)

    def update(self, table: Table, match: Sequence[str], changed: Sequence[str], count: int) -> str:
        # VALUES names its columns column1, column2, ... here and takes no list of names. (A common table
        # expression would name them, but then Python's sqlite3 no longer counts the rows.)
        named = [*match, *(f"new_{column}" for column in changed)]
        group = f"({', '.join(['%s'] * len(named))})"
        aliased = ", ".join(f"column{number} AS {self.quote(name)}" for number, name in enumerate(named, 1))
        sets = ", ".join(f"{self.quote(column)} = v.{self.quote(f'new_{column}')}" for column in changed)
        where = " AND ".join(f"t.{self.quote(column)} = v.{self.quote(column)}" for column in match)
        return (
            f"UPDATE {self.quote(table.name)} AS t SET {sets} "  # noqa: S608
            f"FROM (SELECT {aliased} FROM (VALUES {', '.join([group] * count)})) AS v WHERE {where}"
        )


class MysqlDialect(Dialect):
    """MariaDB >= 10.6 and MySQL >= 8.0.1."""

    now_sql = "SELECT UTC_TIMESTAMP(6)"

    def __init__(self, connection: BaseDatabaseWrapper) -> None:
        super().__init__(connection)
        if not connection.features.has_select_for_update_skip_locked:
            self.skip_locked = self.for_update

    def time(self, value: datetime) -> Any:
        return _naive(value).isoformat(" ")

    def read_time(self, value: Any) -> datetime | None:
        return None if value is None else value.replace(tzinfo=UTC)

    def upsert(self, table: Table, columns: Sequence[str], changed: Sequence[str], count: int) -> str:
        sets = ", ".join(f"{self.quote(column)} = VALUES({self.quote(column)})" for column in changed)
        return f"{self.insert(table, columns, count)} ON DUPLICATE KEY UPDATE {sets}"

    def update(self, table: Table, match: Sequence[str], changed: Sequence[str], count: int) -> str:
        named = [*match, *(f"new_{column}" for column in changed)]
        first = ", ".join(f"%s AS {self.quote(name)}" for name in named)
        other = " UNION ALL SELECT " + ", ".join(["%s"] * len(named))
        # Literals carry the connection's collation, ids are binary: said here, the index of the ids still serves.
        where = " AND ".join(
            f"t.{self.quote(column)} = v.{self.quote(column)}{self._collate(table, column)}" for column in match
        )
        sets = ", ".join(f"t.{self.quote(column)} = v.{self.quote(f'new_{column}')}" for column in changed)
        rows = f"SELECT {first}{other * (count - 1)}"
        return f"UPDATE {self.quote(table.name)} AS t JOIN ({rows}) AS v ON {where} SET {sets}"  # noqa: S608

    def _collate(self, table: Table, column: str) -> str:
        return " COLLATE utf8mb4_bin" if table.kinds[column] == "text" else ""


def _as_it_is(value: Any) -> Any:
    return value


def dialect_of(connection: BaseDatabaseWrapper) -> Dialect:
    """Raises `NotImplementedError` for a store without SQL."""
    dialects: dict[str, type[Dialect]] = {
        "sqlite": SqliteDialect,
        "mysql": MysqlDialect,
        "postgresql": Dialect,
    }
    if connection.vendor not in dialects:
        raise NotImplementedError(f"no SQL dialect for {connection.vendor}")
    return dialects[connection.vendor](connection)
