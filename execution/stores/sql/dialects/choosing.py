"""The dialect of a connection."""

from __future__ import annotations

from django.core.exceptions import ImproperlyConfigured
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
    """Raises `ImproperlyConfigured` where the engine does not know the database."""
    if connection.vendor not in DIALECTS:
        known = ", ".join(DIALECTS)
        raise ImproperlyConfigured(f"The engine runs on {known}, not on {connection.vendor}: see [database].")
    return DIALECTS[connection.vendor](connection)
