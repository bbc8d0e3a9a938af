"""The rows of one instance in memory, written by units and read back as a state: what a store keeps, without one."""

from __future__ import annotations

import copy
from dataclasses import replace
from datetime import datetime
from typing import Any

from execution.domain.states import InstanceStatus
from execution.engine import core
from execution.engine.change import fold_attempt
from execution.engine.state import (
    FAILURE_ROWS,
    INSTANCE_COLUMNS,
    PARKED_ROWS,
    AttemptRow,
    InstanceState,
    LogRow,
    PortRow,
    TaskState,
    Unit,
    Verdict,
)
from flows.domain.compiled import CompiledFlow


class BrokenRows(AssertionError):
    """A unit that no store would take: a duplicate key, a gap, an end without its start."""


class MemoryRows:
    """One Instance row with its Task, Attempt, ExecutionLog, exception rows and verdicts."""

    def __init__(
        self,
        *,
        id: str,  # noqa: A002
        flow: CompiledFlow,
        params: dict[str, Any],
        created_at: datetime,
        deadline_at: datetime | None = None,
    ) -> None:
        self.id = id
        self.flow = flow
        self.params = params
        self.created_at = created_at
        self.columns: dict[str, Any] = {
            "status": "pending",
            "needs_attention": False,
            "closed": False,
            "output": None,
            "error": None,
            "seq": 0,
            "strikes": 0,
            "deadline_at": deadline_at,
            "paused_from": "",
            "started_at": None,
            "completed_at": None,
            "updated_at": created_at,
        }
        self.parked: dict[str, Any] | None = None
        self.failure_start: dict[str, Any] | None = None
        self.fence = 0
        self.rev = 0
        self.inbox = 0
        self.wake_at: datetime | None = created_at
        self.tasks: dict[str, TaskState] = {}
        self.attempts: dict[tuple[str, int], AttemptRow] = {}
        self.logs: list[LogRow] = []
        self.exceptions: dict[str, dict[str, Any]] = {}
        self.verdicts: dict[str, Verdict] = {}

    @property
    def status(self) -> InstanceStatus:
        return InstanceStatus(self.columns["status"])

    @property
    def is_at_rest(self) -> bool:
        """Ended, held for a person, or paused by one."""
        if self.status is InstanceStatus.COMPENSATING:
            return bool(self.columns["needs_attention"])
        return self.status not in (InstanceStatus.PENDING, InstanceStatus.RUNNING)

    def write(self, unit: Unit) -> None:
        """Take a unit in whole. The guard by fence and rev is the store's."""
        if set(unit.instance) != set(INSTANCE_COLUMNS):
            raise BrokenRows(f"columns {sorted(unit.instance)}")
        self.columns = dict(unit.instance)
        self.rev = unit.rev
        self.tasks.update(unit.tasks)
        for key, row in unit.attempts.items():
            self._write_attempt(key, row)
        for log in unit.logs:
            if log.seq != len(self.logs) + 1:
                raise BrokenRows(f"log {log.seq} after {len(self.logs)}")
            self.logs.append(log)
        for port_row in unit.rows:
            self._upsert(port_row)
        for verdict in unit.verdicts:
            if verdict.action_id in self.verdicts:
                raise BrokenRows(f"act {verdict.action_id} decided twice")
            self.verdicts[verdict.action_id] = verdict
        if unit.release:
            self.wake_at = unit.wake_at

    def _write_attempt(self, key: tuple[str, int], row: AttemptRow) -> None:
        stored = self.attempts.get(key)
        if row.is_start:
            if stored is not None:
                raise BrokenRows(f"attempt {key} begun twice")
            self.attempts[key] = row
            return
        if stored is None or stored.status != "started":
            raise BrokenRows(f"attempt {key} ended without being open")
        self.attempts[key] = fold_attempt(stored, row)

    def _upsert(self, row: PortRow) -> None:
        if row.table == PARKED_ROWS:
            self.parked = dict(row.values)
        elif row.table == FAILURE_ROWS:
            if self.failure_start is not None:
                raise BrokenRows("its failure flow was asked for twice")
            self.failure_start = dict(row.values)
        elif row.key in self.exceptions:
            self.exceptions[row.key].update(row.values)
        elif not row.only_update:
            self.exceptions[row.key] = dict(row.values)

    @property
    def open_attempts(self) -> list[AttemptRow]:
        return [row for row in self.attempts.values() if row.status == "started"]

    def load(self) -> InstanceState:
        """The state as a new owner reads it."""
        columns = {name: value for name, value in self.columns.items() if name not in ("status", "updated_at")}
        tasks = {task_id: replace(copy.copy(task), open_attempt=None) for task_id, task in self.tasks.items()}
        return core.load_state(
            flow=self.flow,
            tasks=tasks,
            id=self.id,
            flow_id="flow-1",
            version_number=1,
            status=self.status,
            params=self.params,
            created_at=self.created_at,
            fence=self.fence,
            rev=self.rev,
            inbox=self.inbox,
            **columns,
        )
