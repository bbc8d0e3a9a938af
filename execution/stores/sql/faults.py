"""Errors of the drivers sorted into what the journal can do about them (architecture 4.5)."""

from __future__ import annotations

from typing import Final

from django import db

from execution.stores.base import RecordRefused, StoreUnavailable

# Values the database will never take: MySQL's codes among OperationalError, SQLSTATE classes of PostgreSQL.
MYSQL_DATA: Final = frozenset({1048, 1062, 1264, 1265, 1292, 1366, 1406, 3140, 3819, 4025})
POSTGRES_DATA: Final = ("22", "23")
_VALUES: Final = (ValueError, TypeError, OverflowError, RecursionError)


def sorted_fault(error: BaseException, *, commit_sent: bool = False) -> BaseException:
    """The engine's word for an error of a store: what is not surely the data's fault may pass by itself.

    Also a missing table or column is taken as passing: the schema is being migrated, and the records are good.
    """
    if isinstance(error, db.DatabaseError | db.InterfaceError):
        if not commit_sent and _is_data(error):
            return RecordRefused(str(error))
        return StoreUnavailable(str(error), commit_sent=commit_sent)
    if isinstance(error, _VALUES):
        return RecordRefused(f"{type(error).__name__}: {error}")
    if isinstance(error, OSError):
        return StoreUnavailable(str(error), commit_sent=commit_sent)
    return error


def _is_data(error: db.Error) -> bool:
    state = _sqlstate(error)
    if state:
        return state.startswith(POSTGRES_DATA)
    code = _mysql_code(error)
    if code is not None:
        return code in MYSQL_DATA
    return isinstance(error, db.DataError | db.IntegrityError)


def _sqlstate(error: BaseException) -> str:
    cause = error.__cause__ or error
    return getattr(cause, "sqlstate", None) or ""


def _mysql_code(error: BaseException) -> int | None:
    first = error.args[0] if error.args else None
    return first if isinstance(first, int) else None
