"""One db task in one transaction, together with its barrier row: exactly once at its target."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from hashlib import sha256
from typing import Any, Final

from disttask_project.kernel import json
from disttask_project.kernel.messages import text
from execution.domain.outcome import Sort, TaskFailed
from execution.executors.base import Call
from execution.executors.db import statements
from execution.executors.db.config import DEFAULT_LIMIT, DbConfig
from execution.executors.db.returning import rows_after, rows_before
from execution.executors.db.rows import as_rows
from execution.executors.db.sessions import Session
from execution.executors.db.statements import Statement
from execution.executors.db.vendor import BARRIER

_KEY_LENGTH: Final = 255
Value = dict[str, Any]


class Lost(Exception):
    """Carries a failure whose connection must not be used again."""

    def __init__(self, failed: TaskFailed) -> None:
        super().__init__(str(failed))
        self.failed = failed


def perform(session: Session, config: DbConfig, call: Call) -> Value:
    """Do the work by the call's deadline. Raises `TaskFailed`, or `Lost` where the connection went with
    it.
    """
    check_table(session, config)
    if config.operation == "select":
        return _transaction(session, call, lambda: _select(session, config))
    if not session.has_barrier:
        _ensure_barrier(session)
    return _transaction(session, call, lambda: _write_once(session, config, call))


def check_table(session: Session, config: DbConfig) -> None:
    """Table and columns against the live schema and the allowlist. Raises `TaskFailed`."""
    allowed = session.spec.tables.get(config.table)
    columns, _key = _read(session, lambda: session.columns(config.table))
    named = {*(config.data or {}), *(config.where or {}), *(config.returning or ()), *(config.conflict or ())}
    if not named <= set(columns):
        columns, _key = _read(session, lambda: session.columns(config.table, fresh=True))
    if not columns:
        raise TaskFailed(
            Sort.REFUSED,
            "DB_UNKNOWN_TABLE",
            text("There is no table {table} on {name}.", table=config.table, name=session.spec.alias),
        )
    statements.check_columns(config, columns, allowed)


def _ensure_barrier(session: Session) -> None:
    columns, _ = _read(session, lambda: session.columns(BARRIER, fresh=True))
    if not columns:
        _read(session, session.create_barrier)
    session.has_barrier = True


def _read(session: Session, work: Callable[[], Any]) -> Any:
    try:
        return work()
    except session.vendor.error_type() as error:
        raise _failed(session, error) from error


def _transaction(session: Session, call: Call, work: Callable[[], Value]) -> Value:
    vendor, connection = session.vendor, session.connection
    left = min(session.spec.statement_timeout, call.deadline - time.monotonic())
    if left <= 0:
        raise TaskFailed(Sort.NEVER_SENT, "TIMEOUT", text("The timeout passed before a connection was ready."))
    try:
        vendor.begin(connection, left)
        value = work()
    except vendor.error_type() as error:
        failed = _failed(session, error)
        _roll_back(session)
        raise failed from error
    except BaseException:
        _roll_back(session)
        raise
    _commit(session)
    return value


def _commit(session: Session) -> None:
    vendor = session.vendor
    try:
        session.connection.cursor().execute("COMMIT")
    except vendor.error_type() as error:
        fault = vendor.fault(error)
        if not fault.lost:
            _roll_back(session)
            raise fault.failed(error) from error
        raise Lost(
            TaskFailed(
                Sort.MAYBE_APPLIED,
                "DB_COMMIT_UNKNOWN",
                text("The connection broke at COMMIT. A retry finds the barrier row if it was committed."),
                type="DatabaseError",
            )
        ) from error


def _roll_back(session: Session) -> None:
    # Where this fails the connection is broken, and the server rolls back by itself.
    with suppress(Exception):
        session.connection.cursor().execute("ROLLBACK")


def _failed(session: Session, error: Exception) -> Exception:
    fault = session.vendor.fault(error)
    failed = fault.failed(error)
    return Lost(failed) if fault.lost else failed


def _write_once(session: Session, config: DbConfig, call: Call) -> Value:
    undone = undone_key(config, call)
    key = barrier_key(call, config.operation) if undone is None else (*undone[:2], undo_op(call))
    if not session.vendor.insert_barrier(session.connection, key):
        return _stored(session, key)
    if undone is not None and _never_happened(session, undone):
        value: Value = {"affected": 0, "empty": True}
    else:
        value = _write(session, config)
    mark = session.vendor.dialect.mark
    session.vendor.run(
        session.connection,
        Statement(
            f"UPDATE {BARRIER} SET result = {mark} WHERE gid = {mark} AND branch = {mark} AND op = {mark}",  # noqa: S608
            (json.dumps(value), *key),
        ),
    )
    return value


def barrier_key(call: Call, operation: str) -> tuple[str, str, str]:
    """(gid, branch, op): the idempotency key, the task with its run, the operation."""
    return gid(call.key), f"{call.task_id}:r{call.run}", operation


def gid(key: str) -> str:
    """A key as the barrier's column holds it."""
    return key if len(key) <= _KEY_LENGTH else sha256(key.encode()).hexdigest()


def undone_key(config: DbConfig, call: Call) -> tuple[str, str, str] | None:
    """The barrier row of the call that this one undoes, where that call kept one in this very database."""
    undoes = call.undoes
    if undoes is None or undoes.type != "db":
        return None
    operation = str(undoes.config.get("operation", ""))
    if operation == "select" or undoes.config.get("connection", "default") != config.connection:
        return None
    return gid(undoes.key), f"{undoes.task_id}:r{undoes.run}", operation


def undo_op(call: Call) -> str:
    """One undo of a call, and one more for each time a person changes it."""
    return "undo" if call.run == 1 else f"undo:r{call.run}"


def _never_happened(session: Session, key: tuple[str, str, str]) -> bool:
    """Whether there is nothing to undo. Then its row is taken here, and the call that comes too late finds it so."""
    return session.vendor.insert_barrier(session.connection, key) or _result(session, key) is None


def _stored(session: Session, key: tuple[str, str, str]) -> Value:
    stored = _result(session, key)
    if stored is None:
        raise TaskFailed(
            Sort.REFUSED, "DB_UNDONE", text("It was undone before it arrived, so it is not done any more.")
        )
    value: Value = json.loads_stored(stored)
    return value


def _result(session: Session, key: tuple[str, str, str]) -> str | None:
    mark = session.vendor.dialect.mark
    row = session.vendor.run(
        session.connection,
        Statement(
            f"SELECT result FROM {BARRIER} WHERE gid = {mark} AND branch = {mark} AND op = {mark}",  # noqa: S608
            key,
        ),
    ).fetchone()
    stored: str | None = row[0]
    return stored


def _write(session: Session, config: DbConfig) -> Value:
    vendor, dialect = session.vendor, session.vendor.dialect
    if config.operation == "upsert":
        return _upsert(session, config)
    can_return = config.operation in vendor.returns
    build = {"insert": statements.insert, "update": statements.update, "delete": statements.delete}[config.operation]
    statement = build(config, dialect, returning=can_return)
    before = None if can_return or not config.returning else rows_before(session, config)
    cursor = vendor.run(session.connection, statement)
    rows: list[dict[str, Any]] | None = None
    if config.returning and can_return:
        rows, _ = as_rows(config.returning, cursor.fetchall())
    # SQLite counts the rows of RETURNING only once they are read.
    affected = cursor.rowcount
    _check_affected(session, config, affected)
    if config.returning and not can_return:
        rows = rows_after(session, config, before or [], cursor.lastrowid)
    value: Value = {"affected": affected}
    if rows is not None:
        value["rows"] = rows
    return value


def _upsert(session: Session, config: DbConfig) -> Value:
    vendor, data = session.vendor, config.data or {}
    key = config.conflict or session.columns(config.table)[1]
    if not key or not set(key) <= set(data):
        raise TaskFailed(
            Sort.REFUSED,
            "DB_NO_CONFLICT_KEY",
            text(
                "upsert on {table} needs `conflict`, or the whole primary key in `data`, to tell the row.",
                table=config.table,
            ),
        )
    can_return = "insert" in vendor.returns
    statement = statements.upsert(config, vendor.dialect, key, returning=can_return)
    cursor = vendor.run(session.connection, statement)
    value: Value = {"affected": 1}  # vendors count an insert, an update and no change in three ways
    if can_return:
        raw = cursor.fetchall() if config.returning else []
    else:
        told = [statements.bound(data[column]) for column in key]
        wanted = config.returning or key
        raw = vendor.run(session.connection, statements.by_keys(config, vendor.dialect, key, [told], wanted)).fetchall()
        if not raw:  # MySQL took another unique key for the same row, and changed that one: rolled back
            raise TaskFailed(
                Sort.REFUSED, "DB_CONSTRAINT", text("Another row holds one of the unique values; rolled back.")
            )
    if config.returning:
        value["rows"] = as_rows(config.returning, raw)[0]
    return value


def _check_affected(session: Session, config: DbConfig, affected: int) -> None:
    most = min(config.limit or session.spec.max_affected, session.spec.max_affected)
    if affected > most:
        raise TaskFailed(
            Sort.REFUSED,
            "DB_TOO_MANY_ROWS",
            text("{affected} rows match, at most {most} may be touched; rolled back.", affected=affected, most=most),
        )


def _select(session: Session, config: DbConfig) -> Value:
    columns, _ = session.columns(config.table)
    allowed = session.spec.tables.get(config.table)
    wanted = config.returning or [column for column in columns if allowed is None or column in allowed]
    limit = min(config.limit or DEFAULT_LIMIT, session.spec.max_rows)
    statement = statements.select(config, session.vendor.dialect, wanted, rows=limit + 1)
    raw = session.vendor.run(session.connection, statement).fetchall()
    rows, was_cut = as_rows(wanted, raw[:limit])
    value: Value = {"affected": len(rows), "rows": rows}
    if was_cut or len(raw) > limit:
        value["truncated"] = True
    return value
