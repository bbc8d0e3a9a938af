"""PostgreSQL: all rows of a statement travel as one JSON parameter.

Neither psycopg's client-side binding nor the server's parser is fast with ten thousand parameters; JSON text is made
and read by C on both sides, and a statement's text is the same for any number of rows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar, Final

from disttask_project.kernel import json
from execution.stores.sql.dialects.base import Dialect, Row, Statement, clean, new_names
from execution.stores.sql.schema import Table

TYPES: Final[Mapping[str, str]] = {
    "text": "text",
    "json": "text",
    "int": "bigint",
    "float": "double precision",
    "bool": "boolean",
    "time": "timestamptz",
}


class PostgresDialect(Dialect):
    now_sql: ClassVar[str] = "SELECT clock_timestamp()"

    def time(self, value: datetime) -> datetime:
        return value

    def read_time(self, value: Any) -> datetime | None:
        return value if value is None else value.astimezone(UTC)

    def insert(self, table: Table, columns: Sequence[str], rows: Sequence[Row]) -> Statement:
        return self._insert(table, columns), [_rows(table, columns, rows, cleaned=False)]

    def upsert(
        self, table: Table, columns: Sequence[str], changed: Sequence[str], rows: Sequence[Row], *, clean: bool
    ) -> Statement:
        sql = self._insert(table, columns) + self.on_conflict(table, changed)
        return sql, [_rows(table, columns, rows, cleaned=clean)]

    def update(
        self, table: Table, match: Sequence[str], changed: Sequence[str], rows: Sequence[Row], *, clean: bool
    ) -> Statement:
        columns = (*match, *changed)
        place = {name: f"v.c{number}" for number, name in enumerate(new_names(match, changed))}
        sets = ", ".join(f"{self.quote(column)} = {place[f'new_{column}']}" for column in changed)
        where = " AND ".join(f"t.{self.quote(column)} = {place[column]}" for column in match)
        sql = f"UPDATE {self.quote(table.name)} AS t SET {sets} FROM {_source(table, columns)} WHERE {where}"  # noqa: S608
        return sql, [_rows(table, columns, rows, cleaned=clean)]

    def _insert(self, table: Table, columns: Sequence[str]) -> str:
        values = ", ".join(f"v.c{number}" for number in range(len(columns)))
        source = _source(table, columns)
        return f"INSERT INTO {self.quote(table.name)} ({self.names(columns)}) SELECT {values} FROM {source}"  # noqa: S608


def _source(table: Table, columns: Sequence[str]) -> str:
    typed = ", ".join(f"c{number} {TYPES[table.kinds[column]]}" for number, column in enumerate(columns))
    return f"json_to_recordset(%s::json) AS v({typed})"


def _rows(table: Table, columns: Sequence[str], rows: Sequence[Row], *, cleaned: bool) -> str:
    binders: dict[str, Callable[[Any], Any]] = {"json": json.dumps, "time": datetime.isoformat}
    if cleaned:
        binders["text"] = clean
    names = [f"c{number}" for number in range(len(columns))]
    special = [
        (number, binders[table.kinds[column]])
        for number, column in enumerate(columns)
        if table.kinds[column] in binders
    ]
    objects = []
    for row in rows:
        values = list(row)
        for number, binder in special:
            if values[number] is not None:
                values[number] = binder(values[number])
        objects.append(dict(zip(names, values, strict=True)))
    return json.dumps(objects)
