"""One thread's way to the database: Django's connection, transactions of ours, faults sorted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from execution.stores.base import StoreUnavailable
from execution.stores.sql.dialects import Dialect, Row, dialect_of
from execution.stores.sql.faults import sorted_fault
from execution.stores.sql.schema import Table, chunks


class Database:
    """Statements on `alias`. Each thread has a connection of its own; an error closes it, the next use reopens it."""

    def __init__(self, alias: str = DEFAULT_DB_ALIAS) -> None:
        self.alias = alias

    @property
    def connection(self) -> BaseDatabaseWrapper:
        return connections[self.alias]

    @cached_property
    def dialect(self) -> Dialect:
        return dialect_of(self.connection)

    @contextmanager
    def reading(self) -> Iterator[Cursor]:
        """Statements outside a transaction (each sees what is committed), or inside the caller's."""
        with self._sorting(), self.connection.cursor() as cursor:
            yield Cursor(cursor, self.dialect)

    @contextmanager
    def writing(self) -> Iterator[Cursor]:
        """One transaction, or a part of the caller's.

        BEGIN and COMMIT are sent as they are: Django's own way costs two more round trips a transaction.
        """
        connection = self.connection
        if connection.in_atomic_block:
            with self._sorting(), transaction.atomic(using=self.alias), connection.cursor() as cursor:
                yield Cursor(cursor, self.dialect)
            return
        with self._sorting(), connection.cursor() as cursor:
            cursor.execute(self.dialect.begin)
            try:
                yield Cursor(cursor, self.dialect)
            except BaseException:
                self._roll_back(cursor)
                raise
            try:
                cursor.execute("COMMIT")
            except Exception as error:
                raise _unseen(error) from error

    @contextmanager
    def _sorting(self) -> Iterator[None]:
        joined = self.connection.in_atomic_block
        try:
            yield
        except Exception as error:
            fault = sorted_fault(error)
            if isinstance(fault, StoreUnavailable) and not joined:
                # A broken connection must not be used again; the next use opens another.
                self.connection.close()
            if fault is error:
                raise
            raise fault from error

    def _roll_back(self, cursor: Any) -> None:
        try:
            cursor.execute("ROLLBACK")
        except Exception:
            # The server ends the transaction with the connection.
            self.connection.close()

    def now(self) -> datetime:
        """The database's time. SQLite lives on this host."""
        if not self.dialect.now_sql:
            return datetime.now(UTC)
        with self.reading() as cursor:
            found = self.dialect.read_time(cursor.rows(self.dialect.now_sql)[0][0])
        assert found is not None
        return found


class Cursor:
    """Multi-row statements, in as many pieces as the driver's limits ask for."""

    def __init__(self, cursor: Any, dialect: Dialect) -> None:
        self._cursor = cursor
        self.dialect = dialect

    def run(self, sql: str, params: Sequence[Any] = ()) -> int:
        """Rows matched."""
        self._cursor.execute(sql, params)
        return int(self._cursor.rowcount)

    def rows(self, sql: str, params: Sequence[Any] = ()) -> list[Any]:
        self._cursor.execute(sql, params)
        return list(self._cursor.fetchall())

    def rows_in(self, sql: str, ids: Sequence[str], params: Sequence[Any] = ()) -> list[Any]:
        """`sql` holds `{ids}` where the list of ids stands; other parameters come after it."""
        found: list[Any] = []
        for some in chunks(ids, self.dialect.rows_for(1)):
            found += self.rows(sql.format(ids=", ".join(["%s"] * len(some))), [*some, *params])
        return found

    def insert(self, table: Table, columns: Sequence[str], rows: Sequence[Row]) -> None:
        for some in chunks(rows, self.dialect.rows_for(len(columns))):
            self.run(self.dialect.insert(table, columns, len(some)), _flat(some))

    def upsert(self, table: Table, columns: Sequence[str], changed: Sequence[str], rows: Sequence[Row]) -> None:
        for some in chunks(rows, self.dialect.rows_for(len(columns))):
            self.run(self.dialect.upsert(table, columns, changed, len(some)), _flat(some))

    def update(self, table: Table, match: Sequence[str], changed: Sequence[str], rows: Sequence[Row]) -> int:
        matched = 0
        for some in chunks(rows, self.dialect.rows_for(len(match) + len(changed))):
            matched += self.run(self.dialect.update(table, match, changed, len(some)), _flat(some))
        return matched


def _flat(rows: Sequence[Row]) -> list[Any]:
    return [value for row in rows for value in row]


def _unseen(error: BaseException) -> BaseException:
    """COMMIT failed. A deferred constraint is an answer; anything else leaves open what happened."""
    fault = sorted_fault(error)
    if isinstance(fault, StoreUnavailable):
        return StoreUnavailable(str(error), commit_sent=True)
    return fault
