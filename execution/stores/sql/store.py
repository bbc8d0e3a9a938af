"""The Store port in SQL: SQLite, MariaDB/MySQL, PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime, timedelta

from django.db import DEFAULT_DB_ALIAS

from disttask_project.kernel import json
from execution.engine.port import RowSpec
from execution.engine.state import Act, AttemptRow, Unit
from execution.stores.base import Claim, Hold, Loaded, NewAction, NewInstance
from execution.stores.sql.claims import ClaimSql, Share
from execution.stores.sql.database import Database
from execution.stores.sql.holds import HoldSql
from execution.stores.sql.journal import JournalSql
from execution.stores.sql.leases import LeaseSql
from execution.stores.sql.loading import Compiled, LoadSql
from execution.stores.sql.rows import attempt_id
from execution.stores.sql.schema import ATTEMPT
from execution.stores.sql.sessions import SessionSql
from execution.stores.sql.starts import StartSql
from execution.stores.sql.targets import TargetSql
from execution.stores.targets import TargetStore


class SqlStore:
    """See `execution.stores.base.Store`; one object serves all threads, each on its own connection."""

    def __init__(self, *, compiled: Compiled, tables: Mapping[str, RowSpec], alias: str = DEFAULT_DB_ALIAS) -> None:
        self.database = Database(alias)
        self._journal = JournalSql(self.database, tables)
        self._loading = LoadSql(self.database, compiled)
        self._claims = ClaimSql(self.database)
        self._leases = LeaseSql(self.database)
        self._holds = HoldSql(self.database, self._loading, self._journal)
        self._starts = StartSql(self.database)
        self._sessions = SessionSql(self.database)
        self.targets: TargetStore = TargetSql(self.database)

    def now(self) -> datetime:
        return self.database.now()

    def insert_instances(self, rows: Sequence[NewInstance]) -> Mapping[str, str]:
        return self._starts.insert_instances(rows)

    def claim(
        self,
        owner: str,
        *,
        limit: int,
        struck_limit: int,
        lease: timedelta,
        now: datetime,
        held: Mapping[str, int] | None = None,
        most_of_flow: int | None = None,
    ) -> Sequence[Claim]:
        share = Share(limit=limit, held=held or {}, most_of_flow=most_of_flow)
        return self._claims.claim(owner, share=share, struck_limit=struck_limit, lease=lease, now=now)

    def load(self, claims: Sequence[Claim]) -> Sequence[Loaded]:
        return self._loading.load(claims)

    def renew(self, owner: str, fences: Mapping[str, int], *, lease: timedelta, now: datetime) -> set[str]:
        return self._leases.renew(owner, fences, lease=lease, now=now)

    def apply(self, units: Sequence[Unit]) -> set[str]:
        return self._journal.apply(units)

    def positions(self, ids: Iterable[str]) -> Mapping[str, tuple[int, int]]:
        return self._journal.positions(ids)

    def inboxes(self, ids: Iterable[str]) -> Mapping[str, int]:
        return self._leases.inboxes(ids)

    def open_actions(self, instance_ids: Iterable[str]) -> Mapping[str, Sequence[Act]]:
        return self._leases.open_actions(instance_ids)

    def ask(self, action: NewAction, *, now: datetime) -> bool:
        return self._starts.ask(action, now=now)

    def hold(self, instance_id: str, *, owner: str, now: datetime) -> AbstractContextManager[Hold | None]:
        return self._holds.hold(instance_id, owner=owner, now=now)

    def keep_stale(self, attempt: AttemptRow) -> None:
        sql = f"UPDATE {ATTEMPT.name} SET stale = %s WHERE id = %s AND stale IS NULL"  # noqa: S608
        with self.database.reading() as cursor:
            cursor.run(sql, [json.dumps(attempt.stale), attempt_id(attempt)])

    def next_due(self) -> datetime | None:
        return self._claims.next_due()

    def has_due(self, now: datetime) -> bool:
        return self._claims.has_due(now)

    def has_backlog(self, flow_id: str, most: int) -> bool:
        return self._claims.has_backlog(flow_id, most)

    def beat(
        self, session_id: str, *, host: str, pid: int, kind: str, state: str, in_flight: int, now: datetime
    ) -> None:
        self._sessions.beat(session_id, host=host, pid=pid, kind=kind, state=state, in_flight=in_flight, now=now)

    def freshest_beat(self) -> datetime | None:
        return self._sessions.freshest_beat()

    @property
    def shares_one_writer(self) -> bool:
        return self.database.connection.vendor == "sqlite"

    def close(self) -> None:
        self.database.connection.close()
