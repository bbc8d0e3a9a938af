"""The dialect of a connection."""

from __future__ import annotations

from django.db.backends.base.base import BaseDatabaseWrapper

from execution.stores.sql.dialects.base import Dialect
from execution.stores.sql.dialects.mysql import MysqlDialect
from execution.stores.sql.dialects.postgres import PostgresDialect
from execution.stores.sql.dialects.sqlite import SqliteDialect

DIALECTS: dict[str, type[Dialect]] = {
    "sqlite": SqliteDialect,
    "mysql": MysqlDialect,
    "postgresql": PostgresDialect,
}


def dialect_of(connection: BaseDatabaseWrapper) -> Dialect:
    """Raises `NotImplementedError` for a store without SQL."""
    if connection.vendor not in DIALECTS:
        raise NotImplementedError(f"no SQL dialect for {connection.vendor}")
    return DIALECTS[connection.vendor](connection)
