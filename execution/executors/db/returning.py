"""`returning` where the database has no such clause: the rows are read in the same transaction, by their keys."""

from __future__ import annotations

from typing import Any

from disttask_project.kernel.messages import text
from execution.domain.outcome import Sort, TaskFailed
from execution.executors.db import statements
from execution.executors.db.config import DbConfig
from execution.executors.db.rows import as_rows
from execution.executors.db.sessions import Session


def rows_before(session: Session, config: DbConfig) -> list[Any]:
    """Without RETURNING: what delete will remove, or the keys of what update will change, locked."""
    if config.operation == "insert":
        return []
    _, key = session.columns(config.table)
    wanted = (config.returning or []) if config.operation == "delete" else key
    if not wanted:
        raise _no_key(config)
    statement = statements.select(config, session.vendor.dialect, wanted, rows=session.spec.max_affected + 1, lock=True)
    return list(session.vendor.run(session.connection, statement).fetchall())


def rows_after(session: Session, config: DbConfig, before: list[Any], last_id: int) -> list[dict[str, Any]]:
    returning = config.returning or []
    if config.operation == "delete":
        return as_rows(returning, before)[0]
    _, key = session.columns(config.table)
    data = config.data or {}
    if config.operation == "insert":
        given = [data.get(column, last_id) for column in key]
        if not key or sum(column not in data for column in key) > 1:
            raise _no_key(config)
        before = [given]
    elif set(key) & set(data):
        raise _no_key(config)
    if not before:
        return []
    statement = statements.by_keys(config, session.vendor.dialect, key, before, returning)
    return as_rows(returning, session.vendor.run(session.connection, statement).fetchall())[0]


def _no_key(config: DbConfig) -> TaskFailed:
    return TaskFailed(
        Sort.REFUSED,
        "DB_NO_RETURNING",
        text(
            "`returning` on this database needs the primary key of {table}, given or generated and not changed.",
            table=config.table,
        ),
    )
