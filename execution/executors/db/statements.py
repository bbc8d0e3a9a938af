"""SQL of the operations. Every identifier was found in the live schema and is quoted here; every value is bound.
The text depends on the config's shape alone, never on a value."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from disttask_project.kernel import json
from disttask_project.kernel.messages import text
from execution.domain.outcome import Sort, TaskFailed
from execution.executors.db.config import IDENTIFIER, DbConfig

_COMPARISONS: Final = {"=": "=", "!=": "<>", "<": "<", "<=": "<=", ">": ">", ">=": ">=", "like": "LIKE"}


@dataclass(frozen=True, slots=True)
class Statement:
    sql: str
    values: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """How a vendor writes names and marks values."""

    quote: str
    mark: str
    # What follows an INSERT that finds its row: MySQL looks at every unique key, the others at the named columns.
    on_duplicate: bool = False

    def name(self, identifier: str) -> str:
        """A quoted identifier. Those that do not look like one never get here; this is the second lock."""
        if not IDENTIFIER.fullmatch(identifier):
            raise ValueError(f"not an identifier: {identifier!r}")
        return f"{self.quote}{identifier}{self.quote}"

    def table(self, table: str) -> str:
        return ".".join(self.name(part) for part in table.split("."))


def check_columns(config: DbConfig, columns: Sequence[str], allowed: frozenset[str] | None) -> None:
    """Every column named in the config must be in the table and allowed. Raises `TaskFailed`."""
    named = [*(config.data or {}), *(config.where or {}), *(config.returning or ()), *(config.conflict or ())]
    known = set(columns) if allowed is None else set(columns) & allowed
    unknown = sorted({column for column in named if column not in known})
    if unknown:
        raise TaskFailed(
            Sort.REFUSED,
            "DB_UNKNOWN_COLUMN",
            text(
                "The table {table} has no column {columns} that tasks may use.",
                table=config.table,
                columns=", ".join(unknown),
            ),
        )


def insert(config: DbConfig, dialect: Dialect, *, returning: bool) -> Statement:
    data = config.data or {}
    names = ", ".join(map(dialect.name, data))
    marks = ", ".join([dialect.mark] * len(data))
    sql = f"INSERT INTO {dialect.table(config.table)} ({names}) VALUES ({marks})"  # noqa: S608  names checked
    return Statement(sql + _returning(config, dialect, returning), tuple(map(bound, data.values())))


def upsert(config: DbConfig, dialect: Dialect, key: Sequence[str], *, returning: bool) -> Statement:
    """An insert that becomes an update of the other columns where a row with this `key` is there."""
    plain = insert(config.model_copy(update={"returning": None}), dialect, returning=False)
    others = [column for column in config.data or {} if column not in key]
    names = ", ".join(map(dialect.name, key))
    if dialect.on_duplicate:
        # Setting a key column to itself changes nothing, and is what the grammar asks for where nothing else is set.
        sets = [f"{dialect.name(column)} = VALUES({dialect.name(column)})" for column in others or key[:1]]
        return Statement(f"{plain.sql} ON DUPLICATE KEY UPDATE {', '.join(sets)}", plain.values)
    sets = [f"{dialect.name(column)} = excluded.{dialect.name(column)}" for column in others or key[:1]]
    tail = f" ON CONFLICT ({names}) DO UPDATE SET {', '.join(sets)}"
    return Statement(plain.sql + tail + _returning(config, dialect, returning), plain.values)


def update(config: DbConfig, dialect: Dialect, *, returning: bool) -> Statement:
    data = config.data or {}
    sets = ", ".join(f"{dialect.name(column)} = {dialect.mark}" for column in data)
    where, values = conditions(config.where or {}, dialect)
    sql = f"UPDATE {dialect.table(config.table)} SET {sets} WHERE {where}"  # noqa: S608  names checked
    return Statement(sql + _returning(config, dialect, returning), (*map(bound, data.values()), *map(bound, values)))


def delete(config: DbConfig, dialect: Dialect, *, returning: bool) -> Statement:
    where, values = conditions(config.where or {}, dialect)
    sql = f"DELETE FROM {dialect.table(config.table)} WHERE {where}"  # noqa: S608  names checked
    return Statement(sql + _returning(config, dialect, returning), tuple(map(bound, values)))


def select(
    config: DbConfig, dialect: Dialect, columns: Iterable[str], *, rows: int | None, lock: bool = False
) -> Statement:
    names = ", ".join(map(dialect.name, columns))
    sql = f"SELECT {names} FROM {dialect.table(config.table)}"  # noqa: S608  names checked
    values: list[Any] = []
    if config.where:
        where, values = conditions(config.where, dialect)
        sql += f" WHERE {where}"
    if rows is not None:
        sql += f" LIMIT {int(rows)}"
    return Statement(sql + (" FOR UPDATE" if lock else ""), tuple(map(bound, values)))


def by_keys(
    config: DbConfig, dialect: Dialect, key: Sequence[str], keys: Sequence[Sequence[Any]], columns: Iterable[str]
) -> Statement:
    """SELECT of the rows with these primary keys."""
    names = ", ".join(map(dialect.name, columns))
    one = "(" + " AND ".join(f"{dialect.name(column)} = {dialect.mark}" for column in key) + ")"
    where = " OR ".join([one] * len(keys))
    sql = f"SELECT {names} FROM {dialect.table(config.table)} WHERE {where}"  # noqa: S608  names checked
    return Statement(sql, tuple(value for row in keys for value in row))


def conditions(where: Mapping[str, Any], dialect: Dialect) -> tuple[str, list[Any]]:
    """The text after WHERE and its values; all conditions must hold."""
    parts: list[str] = []
    values: list[Any] = []
    for column, condition in where.items():
        name = dialect.name(column)
        tests = condition if isinstance(condition, Mapping) else {"=": condition}
        for operator, value in tests.items():
            parts.append(_condition(name, operator, value, dialect.mark, values))
    return " AND ".join(parts), values


def _condition(name: str, operator: str, value: Any, mark: str, values: list[Any]) -> str:
    if operator == "is_null":
        return f"{name} IS NULL" if value else f"{name} IS NOT NULL"
    if operator == "between":
        values.extend(value)
        return f"{name} BETWEEN {mark} AND {mark}"
    if operator == "in":
        values.extend(value)
        return f"{name} IN ({', '.join([mark] * len(value))})"
    values.append(value)
    return f"{name} {_COMPARISONS[operator]} {mark}"


def _returning(config: DbConfig, dialect: Dialect, returning: bool) -> str:
    if not returning or not config.returning:
        return ""
    return " RETURNING " + ", ".join(map(dialect.name, config.returning))


def bound(value: Any) -> Any:
    """A JSON value as a driver takes it: objects and lists as their text."""
    return json.dumps(value) if isinstance(value, dict | list) else value
