"""Task type db: one insert, update, delete or select on a named connection."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from disttask_project.kernel.errors import Problem
from disttask_project.kernel.messages import text
from execution.domain.outcome import Result, Sort, TaskFailed
from execution.executors.base import Call, Executor, register
from execution.executors.db.config import DbConfig
from execution.executors.db.sessions import Session, Sessions, connect
from execution.executors.db.spec import ANY_TABLE, BadConnection, ConnectionSpec, read_spec
from execution.executors.db.vendor import BARRIER
from execution.executors.db.watchdog import Watchdog
from execution.executors.db.work import Lost, perform
from execution.executors.options import DbOptions, db_options
from execution.executors.schema import parse
from execution.executors.sealing import sealed_error, sealed_value
from execution.executors.secrets import reveal

_GRACE: Final = 0.5  # seconds after its deadline that a silent server's socket is cut


@register
class DbExecutor(Executor):
    """Exactly once at its target: a barrier row in the target's own transaction holds the result."""

    name = "db"
    config_model = DbConfig
    max_threads = 16
    max_in_flight = 64
    description = "Inserts, updates, deletes or reads rows of a named database connection."

    def __init__(self, options: DbOptions | None = None) -> None:
        self._options = options or db_options()
        self._specs: dict[str, tuple[ConnectionSpec, tuple[str, ...]]] = {}
        self._sessions = Sessions()
        self._watchdog = Watchdog()

    @classmethod
    def config_problems(cls, config: Mapping[str, Any]) -> Sequence[Problem]:
        """Also whether a connection that is configured allows the table; one that is not may yet come."""
        problems = list(super().config_problems(config))
        if problems or "${" in str(config["table"]):
            return problems
        options = db_options()
        alias = config.get("connection", "default")
        if alias in options.connections:
            try:
                check_allowed(
                    read_spec(alias, options.connections[alias], home=options.home), str(config["table"]), options
                )
            except TaskFailed as error:
                return [Problem(loc=("table",), code="not_allowed", message=error.failure.message)]
            except BadConnection:
                return problems  # `manage.py check` names it
        return problems

    @classmethod
    def target(cls, config: Mapping[str, Any]) -> str:
        """The connection."""
        return str(config.get("connection") or "default")

    def execute(self, call: Call) -> Result:
        config, secrets = reveal(call.config)
        try:
            parsed = parse(DbConfig, config)
            spec, hidden = self._spec(parsed.connection)
            secrets = (*secrets, *hidden)
            check_allowed(spec, parsed.table, self._options)
            value = self._performed(self._sessions.take(spec, deadline=call.deadline), parsed, call)
        except Exception as error:
            if secrets:
                raise sealed_error(error, secrets) from None
            raise
        return Result(value=sealed_value(value, secrets))

    def _performed(self, session: Session, config: DbConfig, call: Call) -> dict[str, Any]:
        try:
            descriptor = session.vendor.fileno(session.connection)
            with self._watchdog.watching(descriptor, call.deadline + _GRACE):
                return perform(session, config, call)
        except Lost as error:
            self._sessions.drop(session)
            raise error.failed from error

    def _spec(self, alias: str) -> tuple[ConnectionSpec, tuple[str, ...]]:
        known = self._specs.get(alias)
        if known is None:
            known = configured(alias, self._options)
            if not known[1]:  # a secret may be rotated; without one the configuration stands still
                self._specs[alias] = known
        return known

    async def close(self) -> None:
        await asyncio.to_thread(self._sessions.close)


def configured(alias: str, options: DbOptions) -> tuple[ConnectionSpec, tuple[str, ...]]:
    """A named connection and the secrets in it. Raises `TaskFailed` (refused)."""
    raw = options.connections.get(alias)
    if raw is None:
        raise TaskFailed(
            Sort.REFUSED,
            "DB_UNKNOWN_CONNECTION",
            text("There is no connection {name}: add [db.connections.{name}].", name=alias),
        )
    revealed, secrets = reveal(raw)
    try:
        return read_spec(alias, revealed, home=options.home), secrets
    except BadConnection as error:
        raise TaskFailed(
            Sort.REFUSED,
            "DB_BAD_CONNECTION",
            text("The connection {name} is misconfigured: {reason}.", name=alias, reason=error.args[0]),
        ) from error


def create_barrier(alias: str, options: DbOptions) -> None:
    """Make the barrier table of a connection unless it is there. Raises `TaskFailed`."""
    spec, secrets = configured(alias, options)
    session = connect(replace(spec, create_barrier=True), timeout=spec.connect_timeout)
    try:
        session.create_barrier()
    except session.vendor.error_type() as error:
        raise sealed_error(session.vendor.fault(error).failed(error), secrets) from None
    finally:
        session.close()


def check_allowed(spec: ConnectionSpec, table: str, options: DbOptions) -> None:
    """Raise `TaskFailed` unless tasks may use the table."""
    is_ours = spec.place in options.engine_databases and table.rpartition(".")[2].lower() in options.engine_tables
    is_listed = table in spec.tables or (ANY_TABLE in spec.tables and "." not in table)
    if is_ours or not is_listed or table.rpartition(".")[2].lower() == BARRIER:
        raise TaskFailed(
            Sort.REFUSED,
            "DB_TABLE_DENIED",
            text(
                "Tasks may not use the table {table}; the connection {name} allows: {tables}.",
                table=table,
                name=spec.alias,
                tables=", ".join(sorted(spec.tables)) or text("none"),
            ),
        )
