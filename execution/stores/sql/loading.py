"""From rows to the state of an instance: a bounded number of queries however many are loaded."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import structlog

from disttask_project.kernel import json
from execution.domain.states import InstanceStatus, TaskStatus
from execution.engine.core import load_state
from execution.engine.state import AttemptRow, ErrorInfo, TaskState
from execution.stores.base import Claim, Loaded, StoreUnavailable
from execution.stores.sql.database import Cursor, Database
from execution.stores.sql.dialects.base import Dialect
from execution.stores.sql.faults import sorted_fault
from execution.stores.sql.schema import ATTEMPT, INSTANCE, TAG, TASK, VERSION
from flows.domain.compiled import CompiledFlow

log = structlog.get_logger(__name__)

INSTANCE_COLUMNS: Final = (
    "id",
    "flow_id",
    "version_id",
    "status",
    "needs_attention",
    "closed",
    "params",
    "output",
    "error",
    "fence",
    "rev",
    "seq",
    "inbox",
    "strikes",
    "deadline_at",
    "paused_from",
    "created_at",
    "started_at",
    "completed_at",
    "request_id",
)
# A column and the field of TaskState that holds it.
TASK_FIELDS: Final = {
    "task_id": "task_id",
    "status": "status",
    "skip_reason": "skip_reason",
    "config": "config",
    "input_data": "input",
    "input_override": "override",
    "output_data": "output",
    "result": "result",
    "attempt": "attempt",
    "run": "run",
    "retries": "retries",
    "max_retry": "max_retry",
    "next_at": "next_at",
    "first_failed_at": "first_failed_at",
    "started_at": "started_at",
    "completed_at": "completed_at",
}
TASK_ERROR: Final = ("error_type", "error_code", "error_message", "error_stack", "error_final")
ATTEMPT_FIELDS: Final = (
    "instance_id",
    "task_id",
    "number",
    "run",
    "status",
    "fence",
    "worker",
    "key",
    "request_digest",
    "started_at",
)

INSTANCES: Final = (
    f"SELECT {', '.join(f'i.{column}' for column in INSTANCE_COLUMNS)}, v.number "  # noqa: S608
    f"FROM {INSTANCE.name} i LEFT JOIN {VERSION.name} v ON v.id = i.version_id WHERE i.id IN ({{ids}})"
)
TASKS: Final = (
    f"SELECT instance_id, {', '.join((*TASK_FIELDS, *TASK_ERROR))} FROM {TASK.name} WHERE instance_id IN ({{ids}})"  # noqa: S608
)
TAG_COLUMNS: Final = ("instance_id", "key", "value")
TAGS: Final = f"SELECT {{columns}} FROM {TAG.name} WHERE instance_id IN ({{ids}})"  # noqa: S608
OPEN_ATTEMPTS: Final = "SELECT {columns} FROM {table} WHERE instance_id IN ({ids}) AND status = 'started'"

Compiled = Callable[[str], CompiledFlow]


class LoadSql:
    """`compiled` gives the compiled flow of a version id, from its cache."""

    def __init__(self, database: Database, compiled: Compiled) -> None:
        self._database = database
        self._compiled = compiled

    def load(self, claims: Sequence[Claim]) -> Sequence[Loaded]:
        """Those still held under the claim's fence."""
        fences = {claim.instance_id: claim.fence for claim in claims}
        with self._database.reading() as cursor:
            rows = self.rows(cursor, sorted(fences))
        return self.assemble({key: row for key, row in rows.items() if row.instance["fence"] == fences[key]})

    def rows(self, cursor: Cursor, ids: Sequence[str]) -> dict[str, InstanceRows]:
        found = {}
        for row in cursor.rows_in(INSTANCES, ids):
            found[row[0]] = InstanceRows(cursor.dialect, row)
        # Before its first record an instance has no task and no attempt.
        begun = [key for key, row in found.items() if row.instance["rev"] > 0]
        for row in cursor.rows_in(TASKS, begun) if begun else ():
            found[row[0]].add_task(row[1:])
        for attempt in self._open_attempts(cursor, begun) if begun else ():
            found[attempt.instance_id].open_attempts.append(attempt)
        for row in cursor.rows_in(TAGS.format(columns=cursor.dialect.names(TAG_COLUMNS), ids="{ids}"), sorted(found)):
            found[row[0]].tags[row[1]] = row[2]
        return found

    def _open_attempts(self, cursor: Cursor, ids: Sequence[str]) -> list[AttemptRow]:
        columns = cursor.dialect.names(ATTEMPT_FIELDS)
        sql = OPEN_ATTEMPTS.format(columns=columns, table=ATTEMPT.name, ids="{ids}")
        return [
            AttemptRow(is_start=False, **_read(cursor.dialect, ATTEMPT.kinds, ATTEMPT_FIELDS, row))
            for row in cursor.rows_in(sql, ids)
        ]

    def assemble(self, rows: Mapping[str, InstanceRows]) -> list[Loaded]:
        return [self._assemble(row) for row in rows.values()]

    def _assemble(self, row: InstanceRows) -> Loaded:
        """Whatever is wrong with one instance must not keep the others from being loaded."""
        if row.broken:
            return row.without_tasks(row.broken)
        version_id = row.instance["version_id"]
        try:
            return row.loaded(self._compiled(version_id))
        except Exception as error:
            fault = sorted_fault(error)
            if isinstance(fault, StoreUnavailable):
                raise fault from error
            log.exception("instance_unloadable", instance_id=row.instance["id"], version_id=version_id)
            return row.without_tasks(f"{type(error).__name__}: {error}")


class InstanceRows:
    """The rows of one instance; `broken` says what of them cannot be read."""

    __slots__ = ("broken", "dialect", "instance", "open_attempts", "tags", "tasks", "version_number")

    def __init__(self, dialect: Dialect, row: Sequence[Any]) -> None:
        self.dialect = dialect
        self.broken = ""
        try:
            self.instance = _read(dialect, INSTANCE.kinds, INSTANCE_COLUMNS, row)
            self.instance["status"] = InstanceStatus(self.instance["status"])
        except ValueError as error:
            self.broken = f"its row cannot be read: {error}"
            emptied = [
                None if INSTANCE.kinds[name] == "json" else value
                for name, value in zip(INSTANCE_COLUMNS, row, strict=False)
            ]
            self.instance = _read(dialect, INSTANCE.kinds, INSTANCE_COLUMNS, emptied)
            self.instance |= {"params": {}, "status": _known_status(self.instance["status"])}
        if row[-1] is None:
            # Left out it would be claimed for ever, and struck, with nobody told.
            self.broken = f"its version {self.instance['version_id']} is gone"
        self.version_number: int = row[-1] or 0
        self.tasks: list[TaskState] = []
        self.open_attempts: list[AttemptRow] = []
        self.tags: dict[str, str] = {}

    def add_task(self, row: Sequence[Any]) -> None:
        try:
            self.tasks.append(_task(self.dialect, row))
        except ValueError as error:
            self.broken = f"the row of its task {row[0]} cannot be read: {error}"

    def loaded(self, flow: CompiledFlow) -> Loaded:
        state = load_state(
            flow=flow,
            tasks={task.task_id: task for task in self.tasks},
            version_number=self.version_number,
            tags=self.tags,
            **{key: value for key, value in self.instance.items() if key != "version_id"},
        )
        return Loaded(state=state, open_attempts=self.open_attempts)

    def without_tasks(self, reason: str) -> Loaded:
        self.tasks = []
        loaded = self.loaded(CompiledFlow(name="", tasks={}, dependents={}))
        return Loaded(state=loaded.state, open_attempts=self.open_attempts, broken=reason)


def _known_status(value: str) -> InstanceStatus:
    return InstanceStatus(value) if value in set(InstanceStatus) else InstanceStatus.RUNNING


def _task(dialect: Dialect, row: Sequence[Any]) -> TaskState:
    count = len(TASK_FIELDS)
    read = _read(dialect, TASK.kinds, tuple(TASK_FIELDS), row[:count])
    values = {TASK_FIELDS[column]: value for column, value in read.items()}
    values["status"] = TaskStatus(values["status"])
    type_, code, message, stack, final = row[count:]
    error = None
    if type_ or code or message:
        error = ErrorInfo(type=type_, code=code, message=message, stack=stack, final=bool(final))
    return TaskState(error=error, **values)


def _read(dialect: Dialect, kinds: Mapping[str, str], columns: Sequence[str], row: Sequence[Any]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for column, value in zip(columns, row, strict=False):
        kind = kinds[column]
        if value is None or kind in ("text", "int", "float"):
            values[column] = value
        elif kind == "json":
            values[column] = json.loads_stored(value)
        elif kind == "bool":
            values[column] = bool(value)
        else:
            values[column] = dialect.read_time(value)
    return values
