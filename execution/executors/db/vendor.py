"""What differs between databases: the port of the three vendors, and how their errors are sorted."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from disttask_project.kernel.messages import Message, text
from execution.domain.outcome import Sort, TaskFailed
from execution.executors.db.spec import ConnectionSpec
from execution.executors.db.statements import Dialect, Statement
from execution.executors.sealing import outside_text

BARRIER: Final = "disttask_barrier"


@dataclass(frozen=True, slots=True)
class Fault:
    """A database error, read. `lost`: the connection is gone with it. `missing_table`: which one is told
    by us.
    """

    sort: Sort
    code: str
    message: Message
    lost: bool = False
    missing_table: bool = False

    def failed(self, error: Exception) -> TaskFailed:
        reason = outside_text(error, 1_000).rstrip(".")
        return TaskFailed(
            self.sort, self.code, text("{what}: {reason}.", what=self.message, reason=reason), type="DatabaseError"
        )


def constraint() -> Fault:
    return Fault(Sort.REFUSED, "DB_CONSTRAINT", text("A constraint of the target database refused it"))


def bad_data() -> Fault:
    return Fault(Sort.REFUSED, "DB_DATA", text("A value does not fit its column"))


def bad_statement(*, missing_table: bool = False) -> Fault:
    return Fault(
        Sort.REFUSED, "DB_STATEMENT", text("The target database refused the statement"), missing_table=missing_table
    )


def forbidden() -> Fault:
    return Fault(Sort.REFUSED, "DB_FORBIDDEN", text("The database user may not do this"))


def deadlock() -> Fault:
    return Fault(Sort.REFUSED_NOW, "DB_DEADLOCK", text("Rolled back by the target database, to be tried again"))


def locked() -> Fault:
    return Fault(Sort.REFUSED_NOW, "DB_LOCK_TIMEOUT", text("The row or table stayed locked; rolled back"))


def too_slow() -> Fault:
    return Fault(Sort.REFUSED_NOW, "TIMEOUT", text("The statement took too long and was rolled back"))


def unavailable() -> Fault:
    return Fault(Sort.REFUSED_NOW, "DB_UNAVAILABLE", text("The target database cannot take it now; rolled back"))


def lost() -> Fault:
    return Fault(
        Sort.REFUSED_NOW,
        "DB_CONNECTION_LOST",
        text("The connection broke before COMMIT, so nothing was applied"),
        lost=True,
    )


class Vendor(ABC):
    """One kind of database. Connections are in autocommit; transactions are begun and ended by statements."""

    dialect: ClassVar[Dialect]
    returns: ClassVar[frozenset[str]]  # operations that take RETURNING
    barrier_ddl: ClassVar[str]
    barrier_insert: ClassVar[str]  # leaves an existing row alone, and then reports 0 rows

    @abstractmethod
    def connect(self, spec: ConnectionSpec, timeout: float) -> Any:
        """A connection. Raises the driver's error, or `TaskFailed` where the driver is not installed."""

    @abstractmethod
    def error_type(self) -> type[Exception]:
        """The driver's base error."""

    @abstractmethod
    def fault(self, error: Exception) -> Fault:
        """Read an error."""

    @abstractmethod
    def begin(self, connection: Any, seconds: float) -> None:
        """Begin a transaction whose statements end within `seconds`."""

    @abstractmethod
    def columns(self, connection: Any, table: str) -> tuple[list[str], list[str]]:
        """Columns of a table in order, and those of its primary key; empty where there is no such table."""

    @abstractmethod
    def ping(self, connection: Any) -> None:
        """Raise the driver's error unless the connection works."""

    def fileno(self, connection: Any) -> int | None:
        """The socket to cut when a server stays silent past the deadline; None where there is none."""
        del connection
        return None

    def run(self, connection: Any, statement: Statement) -> Any:
        """Execute; the cursor has `rowcount`, `description` and the rows."""
        cursor = connection.cursor()
        cursor.execute(statement.sql, statement.values)
        return cursor

    def insert_barrier(self, connection: Any, key: Sequence[str]) -> bool:
        """Take the key; False where it was taken before."""
        return bool(self.run(connection, Statement(self.barrier_insert, tuple(key))).rowcount == 1)
