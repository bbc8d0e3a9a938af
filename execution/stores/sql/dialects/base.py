"""What differs between SQLite, MariaDB/MySQL and PostgreSQL: the words of multi-row statements, and of values."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar, Final

from django.db.backends.base.base import BaseDatabaseWrapper

from disttask_project.kernel import json
from execution.stores.sql.schema import FLOW, INSTANCE, Table

Row = Sequence[Any]
# A statement and its parameters; None: it holds its values as literals already.
Statement = tuple[str | bytes, Sequence[Any] | None]
Binder = Callable[[Any], Any]

ROWS_A_STATEMENT: Final = 500


class Dialect(ABC):
    """Made for one connection. Rows are plain values of the columns' kinds; None is NULL.

    `clean` says that text comes from outside and may hold what no store takes.
    """

    for_update: ClassVar[str] = " FOR UPDATE"
    skip_locked: str = " FOR UPDATE SKIP LOCKED"
    begin: ClassVar[str] = "BEGIN"
    # Each flow and when its first instance is due (`id`, `first_at`): one look into the claim's index a flow.
    first_due: ClassVar[str] = (
        f"SELECT f.id AS id, (SELECT i.wake_at FROM {INSTANCE.name} i WHERE i.flow_id = f.id "  # noqa: S608
        f"AND i.wake_at IS NOT NULL ORDER BY i.wake_at LIMIT 1) AS first_at FROM {FLOW.name} f"
    )
    now_sql: ClassVar[str] = ""  # empty: the database lives by this host's clock

    def __init__(self, connection: BaseDatabaseWrapper) -> None:
        self.connection = connection
        self.quote = connection.ops.quote_name

    def rows_for(self, _width: int) -> int:
        """How many rows of this many columns one statement takes."""
        return ROWS_A_STATEMENT

    @abstractmethod
    def time(self, value: datetime) -> Any:
        """A time as a parameter."""

    @abstractmethod
    def read_time(self, value: Any) -> datetime | None:
        """A time as it was read."""

    @abstractmethod
    def insert(self, table: Table, columns: Sequence[str], rows: Sequence[Row]) -> Statement: ...

    @abstractmethod
    def upsert(
        self, table: Table, columns: Sequence[str], changed: Sequence[str], rows: Sequence[Row], *, clean: bool
    ) -> Statement:
        """Insert; where the key is there already, set the `changed` columns."""

    @abstractmethod
    def update(
        self, table: Table, match: Sequence[str], changed: Sequence[str], rows: Sequence[Row], *, clean: bool
    ) -> Statement:
        """Set `changed` of many rows, each found by its `match` columns; a row holds match, then changed."""

    def names(self, columns: Sequence[str]) -> str:
        return ", ".join(self.quote(column) for column in columns)

    def on_conflict(self, table: Table, changed: Sequence[str]) -> str:
        """The end of an upsert in the words that SQLite and PostgreSQL share."""
        sets = ", ".join(f"{self.quote(column)} = excluded.{self.quote(column)}" for column in changed)
        return f" ON CONFLICT ({self.quote(table.key)}) DO UPDATE SET {sets}"


def new_names(match: Sequence[str], changed: Sequence[str]) -> list[str]:
    """Names of an update's row: a column may be matched and changed, so the new value has a name of its own."""
    return [*match, *(f"new_{column}" for column in changed)]


def naive(value: datetime) -> datetime:
    """In UTC, without saying so."""
    if value.tzinfo is not UTC:
        value = value.astimezone(UTC)
    return value.replace(tzinfo=None)


def clean(value: Any) -> str:
    return json.clean_text(str(value))
