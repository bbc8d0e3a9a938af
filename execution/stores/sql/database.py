"""One thread's way to the database: Django's connection, transactions of ours, faults sorted."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from disttask_project.kernel.crashpoints import crash_point
from execution.stores.base import StoreUnavailable
from execution.stores.sql.dialects.base import Dialect, Row, Statement
from execution.stores.sql.dialects.choosing import dialect_of
from execution.stores.sql.faults import sorted_fault
from execution.stores.sql.schema import Table, chunks


class Database:
    """Statements on `alias`. Each thread has a connection of its own; an error closes it, the next use reopens it."""

    def __init__(self, alias: str = DEFAULT_DB_ALIAS) -> None:
        self.alias = alias
        self._local = threading.local()

    @property
    def connection(self) -> BaseDatabaseWrapper:
        return connections[self.alias]

    @property
    def dialect(self) -> Dialect:
        """This thread's."""
        connection = self.connection
        found: Dialect | None = getattr(self._local, "dialect", None)
        if found is None or found.connection is not connection:
            found = self._local.dialect = dialect_of(connection)
        return found

    @contextmanager
    def reading(self) -> Iterator[Cursor]:
        """Statements outside a transaction (each sees what is committed), or inside the caller's."""
        with self._sorting(), self.connection.cursor() as cursor:
            yield Cursor(cursor, self.dialect)

    @contextmanager
    def writing(self, point: str) -> Iterator[Cursor]:
        """One transaction, or a part of the caller's; `point` names its crash points.

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
            crash_point(f"{point}.before_commit")
            try:
                cursor.execute("COMMIT")
            except Exception as error:
                raise _unseen(error) from error
            crash_point(f"{point}.after_commit")

    @contextmanager
    def statement(self, point: str) -> Iterator[Cursor]:
        """Like `writing`, for exactly one statement, which commits by itself: two round trips less."""
        if self.connection.in_atomic_block:
            with self.writing(point) as cursor:
                yield cursor
            return
        with self.reading() as cursor:
            crash_point(f"{point}.before_commit")
            yield cursor
        crash_point(f"{point}.after_commit")

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
            self._send(self.dialect.insert(table, columns, some))

    def upsert(
        self,
        table: Table,
        columns: Sequence[str],
        changed: Sequence[str],
        rows: Sequence[Row],
        *,
        clean: bool = False,
    ) -> None:
        for some in chunks(rows, self.dialect.rows_for(len(columns))):
            self._send(self.dialect.upsert(table, columns, changed, some, clean=clean))

    def update(
        self,
        table: Table,
        match: Sequence[str],
        changed: Sequence[str],
        rows: Sequence[Row],
        *,
        clean: bool = False,
    ) -> int:
        """Rows matched."""
        matched = 0
        for some in chunks(rows, self.dialect.rows_for(len(match) + len(changed))):
            matched += self._send(self.dialect.update(table, match, changed, some, clean=clean))
        return matched

    def _send(self, statement: Statement) -> int:
        self._cursor.execute(*statement)
        return int(self._cursor.rowcount)


def _unseen(error: BaseException) -> BaseException:
    """COMMIT failed. A deferred constraint is an answer; anything else leaves open what happened."""
    fault = sorted_fault(error)
    if isinstance(fault, StoreUnavailable):
        return StoreUnavailable(str(error), commit_sent=True)
    return fault
