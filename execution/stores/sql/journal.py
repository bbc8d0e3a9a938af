"""Apply a group of units: one transaction of multi-row statements, guarded by (fence, rev) (architecture 4.5)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from execution.engine.port import RowSpec
from execution.engine.state import FAILURE_ROWS, PARKED_ROWS, PortRow, Unit, Verdict
from execution.stores.base import RecordRefused
from execution.stores.sql.database import Cursor, Database
from execution.stores.sql.rows import (
    ATTEMPT_COLUMNS,
    INSTANCE_SET,
    LOG_COLUMNS,
    RELEASE_SET,
    TASK_COLUMNS,
    TASK_END,
    TASK_SET,
    GroupRows,
)
from execution.stores.sql.schema import (
    ACTION,
    ATTEMPT,
    ATTEMPT_END,
    FAILURE_START,
    INSTANCE,
    LOG,
    PARKED,
    TASK,
    table_of_spec,
)

GUARD: Final = ("id", "fence", "rev")
VERDICT_SET: Final = ("state", "verdict", "decided_at", "open_key")


class JournalSql:
    """`tables` are what the failure port writes; the core itself writes who is parked, and who is followed."""

    def __init__(self, database: Database, tables: Mapping[str, RowSpec]) -> None:
        self._database = database
        own = {PARKED_ROWS: PARKED, FAILURE_ROWS: FAILURE_START}
        self._tables = {name: table_of_spec(spec) for name, spec in tables.items()} | own

    def apply(self, units: Sequence[Unit]) -> set[str]:
        ordered = sorted(units, key=lambda unit: unit.instance_id)
        with self._database.writing("journal") as cursor:
            found = self._lock(cursor, [unit.instance_id for unit in ordered])
            kept = [unit for unit in ordered if found.get(unit.instance_id, ())[:2] == (unit.fence, unit.base_rev)]
            if kept:
                self.write(cursor, kept, asked={unit.instance_id for unit in kept if found[unit.instance_id][2]})
        return {unit.instance_id for unit in ordered} - {unit.instance_id for unit in kept}

    def positions(self, ids: Iterable[str]) -> dict[str, tuple[int, int]]:
        """Read under lock: a commit that the server is still at is waited for."""
        with self._database.writing("readback") as cursor:
            found = self._lock(cursor, sorted(ids))
        return {instance_id: (fence, rev) for instance_id, (fence, rev, _) in found.items()}

    def _lock(self, cursor: Cursor, ids: Sequence[str]) -> dict[str, tuple[int, int, int]]:
        sql = (
            f"SELECT id, fence, rev, inbox FROM {INSTANCE.name} WHERE id IN ({{ids}}) "  # noqa: S608
            f"ORDER BY id{cursor.dialect.for_update}"
        )
        return {row[0]: (row[1], row[2], row[3]) for row in cursor.rows_in(sql, ids)}

    def write(self, cursor: Cursor, units: Sequence[Unit], *, asked: set[str]) -> None:
        """Write units whose rows are locked and stand as the units expect; `asked` have had operator acts."""
        rows = GroupRows()
        for unit in units:
            rows.add(unit, unit.flow)
        cursor.upsert(TASK, TASK_COLUMNS, TASK_SET, rows.tasks)
        cursor.update(TASK, ("id",), TASK_END, rows.ended_tasks)
        cursor.insert(ATTEMPT, ATTEMPT_COLUMNS, rows.begun)
        cursor.update(ATTEMPT, ("id",), ATTEMPT_END, rows.ended)
        cursor.insert(LOG, LOG_COLUMNS, rows.logs)
        self._port_rows(cursor, [row for unit in units for row in unit.rows])
        self._verdicts(cursor, units)
        self._instances(cursor, units, asked)

    def _instances(self, cursor: Cursor, units: Sequence[Unit], asked: set[str]) -> None:
        released = [unit for unit in units if unit.release]
        waiting = _still_asked(cursor, sorted(asked & {unit.instance_id for unit in released}))
        kept = [_instance_row(unit) for unit in units if not unit.release]
        written = cursor.update(INSTANCE, GUARD, INSTANCE_SET, kept)
        written += cursor.update(INSTANCE, GUARD, RELEASE_SET, [_released_row(unit, waiting) for unit in released])
        if written != len(units):
            raise RecordRefused(f"{len(units) - written} of {len(units)} instances vanished under their lock")

    def _port_rows(self, cursor: Cursor, rows: Sequence[PortRow]) -> None:
        shapes: dict[tuple[str, bool, tuple[str, ...]], list[PortRow]] = {}
        for row in _folded(rows):
            shapes.setdefault((row.table, row.only_update, tuple(sorted(row.values))), []).append(row)
        for (name, only_update, columns), some in sorted(shapes.items()):
            table = self._tables[name]
            named = (table.key, *columns)
            values = [[row.key, *(row.values[column] for column in columns)] for row in some]
            if only_update:
                cursor.update(table, (table.key,), columns, values, clean=True)
            else:
                cursor.upsert(table, named, columns, values, clean=True)

    def _verdicts(self, cursor: Cursor, units: Sequence[Unit]) -> None:
        rows = [
            [
                verdict.action_id,
                "done" if verdict.done else "refused",
                _verdict(verdict),
                unit.instance["updated_at"],
                None,
            ]
            for unit in units
            for verdict in unit.verdicts
        ]
        cursor.update(ACTION, ("id",), VERDICT_SET, rows)


def _instance_row(unit: Unit) -> list[Any]:
    changed = [unit.instance[column] for column in INSTANCE_SET[:-1]]
    return [unit.instance_id, unit.fence, unit.base_rev, *changed, unit.rev]


def _released_row(unit: Unit, waiting: set[str]) -> list[Any]:
    """An act that was asked while the driver was letting go must not sleep: the row is due at once."""
    wake_at: datetime | None = unit.wake_at
    if unit.instance_id in waiting:
        wake_at = unit.instance["updated_at"]
    return [*_instance_row(unit), "", None, wake_at]


def _still_asked(cursor: Cursor, ids: Sequence[str]) -> set[str]:
    if not ids:
        return set()
    sql = f"SELECT DISTINCT instance_id FROM {ACTION.name} WHERE instance_id IN ({{ids}}) AND state = 'asked'"  # noqa: S608
    return {row[0] for row in cursor.rows_in(sql, ids)}


def _verdict(verdict: Verdict) -> dict[str, Any]:
    if verdict.done:
        return {"message": verdict.message, "before": verdict.before, "after": verdict.after}
    return {"code": verdict.code, "message": verdict.message}


def _folded(rows: Sequence[PortRow]) -> list[PortRow]:
    """One row a key: a statement may not touch a row twice. Later values win; one insert makes it an insert."""
    last: dict[tuple[str, str], PortRow] = {}
    for row in rows:
        before = last.get((row.table, row.key))
        if before is not None:
            row = PortRow(  # noqa: PLW2901
                table=row.table,
                key=row.key,
                values={**before.values, **row.values},
                only_update=before.only_update and row.only_update,
            )
        last[row.table, row.key] = row
    return [last[key] for key in sorted(last)]
