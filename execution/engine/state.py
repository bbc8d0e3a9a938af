"""What the engine holds of an instance in memory, and what a step writes of it.

Values of JSON inside these objects are never changed in place, only replaced; so a shallow copy is a snapshot.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from operator import attrgetter
from typing import Any, Final

from disttask_project.kernel.json import JSON
from execution.domain.outcome import Undone
from execution.domain.planner import Plan
from execution.domain.states import InstanceStatus, TaskStatus
from execution.domain.undoing import UndoPlan
from flows.domain.compiled import CompiledFlow

# A task's `error.type` once an attempt of its run has an unknown outcome; only a success or a person settles it.
UNKNOWN_OUTCOME: Final = "UnknownOutcome"
PARKED_ROWS: Final = "parked"  # the table of `PortRow`s that say for which target an instance waits
FAILURE_ROWS: Final = "failure_flow"  # the table of `PortRow`s that ask for an instance of the failure flow
NOT_APPLIED: Final = "NotApplied"  # what it becomes when a person, or a check, says so
# The target answered and the answer cannot be read by the task's expressions: it may well have done its work.
UNREADABLE_ANSWER: Final = "UnreadableAnswer"


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorInfo:
    """The last error of a task."""

    type: str
    code: str
    message: str
    stack: str = ""
    final: bool = False


@dataclass(slots=True, kw_only=True)
class TaskState:
    """One Task row. A task that has never left `pending` has none, and none of these."""

    task_id: str
    status: TaskStatus = TaskStatus.PENDING
    skip_reason: str = ""
    config: JSON = None
    input: JSON = None
    override: JSON = None  # {"input": {...}, "config": {...}} from an operator's retry
    output: JSON = None  # None where the output is the result itself
    result: JSON = None
    error: ErrorInfo | None = None
    attempt: int = 0
    run: int = 1
    retries: int = 0
    max_retry: int = 0
    next_at: datetime | None = None
    first_failed_at: datetime | None = None
    started_at: datetime | None = None
    completed_at: datetime | None = None
    open_attempt: int | None = None  # number of the attempt in flight; not a column

    def snapshot(self) -> TaskState:
        """As it stands now. (`copy.copy` takes six times as long, and every step writes some.)"""
        return TaskState(**dict(zip(_TASK_FIELDS, _TASK_VALUES(self), strict=True)))


_TASK_FIELDS: Final = tuple(each.name for each in fields(TaskState))
_TASK_VALUES: Final = attrgetter(*_TASK_FIELDS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """One OperatorAction row. `act`: retry, rerun, skip, mark_success, compensate, cancel, pause, resume, close."""

    action_id: str
    act: str
    task_id: str = ""
    payload: Mapping[str, Any]
    actor: str
    reason: str = ""


@dataclass(slots=True, kw_only=True)
class InstanceState:
    """One claimed instance: its row, its tasks, and the plan derived from them."""

    id: str
    flow_id: str
    version_number: int
    flow: CompiledFlow
    status: InstanceStatus
    params: Mapping[str, Any]
    tags: Mapping[str, str] = field(default_factory=dict)
    needs_attention: bool = False
    closed: bool = False
    output: JSON = None
    error: dict[str, Any] | None = None
    fence: int = 0
    rev: int = 0
    seq: int = 0
    inbox: int = 0  # acts asked so far, as read when the row was loaded or last watched
    strikes: int = 0
    deadline_at: datetime | None = None
    paused_from: str = ""
    created_at: datetime
    started_at: datetime | None = None
    completed_at: datetime | None = None
    request_id: str = ""
    tasks: dict[str, TaskState] = field(default_factory=dict)
    plan: Plan
    # Derived, never stored.
    in_flight: int = 0
    timers: dict[str, datetime] = field(default_factory=dict)  # retrying tasks that are not due yet
    errands: dict[str, None] = field(default_factory=dict)  # undos and checks that wait for a slot
    undo: UndoPlan | None = None  # while it is being undone
    scope: dict[str, dict[str, Any]] = field(default_factory=dict)  # the `tasks` root of expressions
    root: dict[str, Any] | None = None  # the `instance` root of expressions, made at its first use
    stop: dict[str, Any] | None = None  # the error that lets nothing new start
    parked: bool = False  # by this owner: what was asked before knew nothing of it
    waiting_act: Act | None = None  # a cancel or pause asked while calls are in flight; still open in the inbox
    decided: set[str] = field(
        default_factory=set
    )  # acts whose verdict may not be committed yet: still open in the inbox

    @property
    def is_lost(self) -> bool:
        """Failed for good, or undone: what its failure flow is for."""
        return self.status is InstanceStatus.COMPENSATED or (self.status is InstanceStatus.FAILED and self.closed)

    @property
    def may_start(self) -> bool:
        """Whether attempts may begin at all."""
        return self.status is InstanceStatus.RUNNING and self.stop is None and self.waiting_act is None

    @property
    def is_being_undone(self) -> bool:
        """Also while a person has paused it in the middle."""
        return InstanceStatus.COMPENSATING in (self.status, self.paused_from)

    @property
    def may_run_errands(self) -> bool:
        """Whether undos and checks may begin: a check also while a failure lets nothing else start."""
        if self.waiting_act is not None:
            return False
        undoing = self.status is InstanceStatus.COMPENSATING and not self.needs_attention
        return undoing or self.status is InstanceStatus.RUNNING


@dataclass(slots=True, kw_only=True)
class AttemptRow:
    """An Attempt row. At the start `status` is `started` and the request is set; at the end the rest.

    `is_start` rows are inserted; others update the end columns only, so `request` may be None there.
    """

    instance_id: str
    task_id: str
    number: int
    run: int
    status: str
    fence: int
    worker: str
    key: str
    is_start: bool
    started_at: datetime
    request_digest: str = ""
    request: JSON = None
    response: JSON = None
    error: ErrorInfo | None = None
    ended_at: datetime | None = None
    duration_ms: float | None = None
    stale: JSON = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LogRow:
    seq: int
    task_id: str
    action: str
    message: str
    details: JSON
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class PortRow:
    """A row that the failure port asks to be written in the same group: an upsert of `values` by `key`.

    `table` names a spec that the port declares (`tables`); columns not in `values` keep what they had. A row
    with `only_update` changes nothing where no row is.
    """

    table: str
    key: str
    values: Mapping[str, Any]
    only_update: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What became of an operator's act."""

    action_id: str
    done: bool
    code: str  # "" when done
    message: str
    before: JSON = None
    after: JSON = None


# The columns of Instance that a step may change, with their kinds (see `port.RowSpec`).
INSTANCE_COLUMNS: Final[Mapping[str, str]] = {
    "status": "text",
    "needs_attention": "bool",
    "closed": "bool",
    "output": "json",
    "error": "json",
    "seq": "int",
    "strikes": "int",
    "deadline_at": "time",
    "paused_from": "text",
    "started_at": "time",
    "completed_at": "time",
    "updated_at": "time",
}


_UNIT_COLUMNS: Final = tuple(column for column in INSTANCE_COLUMNS if column not in ("status", "updated_at"))
_UNIT_VALUES: Final = attrgetter(*_UNIT_COLUMNS)


def instance_columns(state: InstanceState, *, now: datetime) -> dict[str, Any]:
    """All of `INSTANCE_COLUMNS`, as a unit carries them."""
    values = dict(zip(_UNIT_COLUMNS, _UNIT_VALUES(state), strict=True))
    values["status"] = str(state.status)
    values["updated_at"] = now
    return values


@dataclass(slots=True, kw_only=True)
class Unit:
    """All that one step writes of one instance: it commits whole or not at all.

    The store applies it only where the row still has `fence` and `rev == base_rev`, and leaves the row at `rev`.
    `instance` always holds all of `INSTANCE_COLUMNS`, so that many rows fit one statement. `release` gives the row
    back: owner and lease emptied, `wake_at` as told. Units of one instance fold in order (`fold`).
    `flow` names the tasks, for their rows.
    """

    instance_id: str
    fence: int
    base_rev: int
    rev: int
    instance: dict[str, Any] = field(default_factory=dict)
    tasks: dict[str, TaskState] = field(default_factory=dict)
    attempts: dict[tuple[str, int], AttemptRow] = field(default_factory=dict)
    logs: list[LogRow] = field(default_factory=list)
    rows: list[PortRow] = field(default_factory=list)
    verdicts: list[Verdict] = field(default_factory=list)
    release: bool = False
    wake_at: datetime | None = None
    flow: CompiledFlow | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedCall:
    """A call that may leave once the unit that holds its attempt row is committed."""

    task_id: str
    type: str
    attempt: int
    run: int
    key: str
    config: Mapping[str, Any]
    input: Mapping[str, Any]
    timeout_seconds: float
    undoes: Undone | None = None
    target: str = ""  # which of the driver's gates it passed


@dataclass(slots=True, kw_only=True)
class Effects:
    """What the driver must do after a step: commit `unit` (if any), then make `calls`."""

    unit: Unit | None = None
    calls: list[PlannedCall] = field(default_factory=list)
