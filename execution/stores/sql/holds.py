"""Take an instance that no live lease holds, for one transaction (architecture 4.6)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from typing import Final

from django.db import transaction

from disttask_project.kernel.crashpoints import crash_point
from execution.engine.state import AttemptRow, InstanceState, Unit
from execution.stores.base import StoreUnavailable
from execution.stores.sql.database import Cursor, Database
from execution.stores.sql.faults import sorted_fault
from execution.stores.sql.journal import JournalSql
from execution.stores.sql.loading import LoadSql
from execution.stores.sql.schema import INSTANCE

LOOK: Final = f"SELECT owner, lease_until, strikes, inbox FROM {INSTANCE.name} WHERE id = %s"  # noqa: S608
TAKE: Final = (
    f"UPDATE {INSTANCE.name} SET strikes = %s, fence = fence + 1, owner = '', lease_until = NULL WHERE id = %s"  # noqa: S608
)


class HeldInstance:
    """See `base.Hold`. Nobody keeps the row afterwards: what is left to do is due at once."""

    def __init__(
        self, *, state: InstanceState, open_attempts: Sequence[AttemptRow], cursor: Cursor, journal: JournalSql
    ) -> None:
        self.state = state
        self.open_attempts = open_attempts
        self._cursor = cursor
        self._journal = journal

    def apply(self, unit: Unit) -> None:
        wake_at = unit.wake_at if unit.release else unit.instance["updated_at"]
        try:
            self._journal.write(self._cursor, [replace(unit, release=True, wake_at=wake_at)], asked={unit.instance_id})
        except Exception as error:
            fault = sorted_fault(error)
            if fault is error:
                raise
            raise fault from error


class HoldSql:
    def __init__(self, database: Database, loading: LoadSql, journal: JournalSql) -> None:
        self._database = database
        self._loading = loading
        self._journal = journal

    @contextmanager
    def hold(self, instance_id: str, *, owner: str, now: datetime) -> Iterator[HeldInstance | None]:
        """A Django transaction, so that the caller's own rows (the audit) commit with it."""
        alias = self._database.alias
        with self._passing_faults(), transaction.atomic(using=alias), self._database.connection.cursor() as raw:
            cursor = Cursor(raw, self._database.dialect)
            yield self._take(cursor, instance_id, now)
            crash_point("hold.before_commit")
        crash_point("hold.after_commit")

    @contextmanager
    def _passing_faults(self) -> Iterator[None]:
        """Errors of the block's own statements; what the caller raises in it passes as it is."""
        try:
            yield
        except Exception as error:
            fault = sorted_fault(error)
            if isinstance(fault, StoreUnavailable) and fault is not error:
                raise fault from error
            raise

    def _take(self, cursor: Cursor, instance_id: str, now: datetime) -> HeldInstance | None:
        rows = cursor.rows(LOOK + cursor.dialect.for_update, [instance_id])
        if not rows:
            raise LookupError(instance_id)
        holder, lease_until, strikes, _ = rows[0]
        until = cursor.dialect.read_time(lease_until)
        if holder and until is not None and until > now:
            return None
        cursor.run(TAKE, [strikes + 1 if holder else strikes, instance_id])
        loaded = self._loading.assemble(self._loading.rows(cursor, [instance_id]))
        if loaded[0].broken:
            raise LookupError(f"{instance_id}: {loaded[0].broken}")
        return HeldInstance(
            state=loaded[0].state, open_attempts=loaded[0].open_attempts, cursor=cursor, journal=self._journal
        )
