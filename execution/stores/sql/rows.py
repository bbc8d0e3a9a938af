"""From units to rows: the values of each table in the order of its columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from disttask_project.kernel.json import JSON, Encoded, clean_text, dumps
from execution.engine.state import INSTANCE_COLUMNS, AttemptRow, ErrorInfo, LogRow, TaskState, Unit
from execution.stores.sql.schema import ATTEMPT, ATTEMPT_END, LOG, TASK
from flows.domain.compiled import CompiledFlow

INSTANCE_SET: Final = (*INSTANCE_COLUMNS, "rev")
RELEASE_SET: Final = (*INSTANCE_SET, "owner", "lease_until", "wake_at")
TASK_COLUMNS: Final = (
    "id",
    "instance_id",
    "task_id",
    "task_name",
    "name",
    "type",
    "status",
    "skip_reason",
    "config",
    "input_data",
    "input_override",
    "output_data",
    "result",
    "error_type",
    "error_code",
    "error_message",
    "error_stack",
    "error_final",
    "attempt",
    "run",
    "retries",
    "max_retry",
    "next_at",
    "first_failed_at",
    "started_at",
    "completed_at",
)
TASK_SET: Final = TASK_COLUMNS[6:]
# What changes when an attempt ends; the row and its config and input are there since the attempt began.
TASK_END: Final = (
    "status",
    "skip_reason",
    "output_data",
    "result",
    "error_type",
    "error_code",
    "error_message",
    "error_stack",
    "error_final",
    "attempt",
    "run",
    "retries",
    "next_at",
    "first_failed_at",
    "completed_at",
)
ATTEMPT_COLUMNS: Final = (
    "id",
    "instance_id",
    "task_id",
    "number",
    "run",
    "fence",
    "worker",
    "key",
    "request_digest",
    "started_at",
    "error_type",
    "error_code",
    "error_message",
    "error_stack",
    "status",
    "ended_at",
    "duration_ms",
    "response",
    "request",
    "stale",
)
LOG_COLUMNS: Final = ("id", "instance_id", "seq", "task_id", "action", "message", "details", "created_at")
NO_ERROR: Final = ErrorInfo(type="", code="", message="")

assert set(TASK_COLUMNS) == set(TASK.columns)  # a new column of the model is decided on here, or nothing starts
assert set(ATTEMPT_COLUMNS) == set(ATTEMPT.columns)
assert set(LOG_COLUMNS) == set(LOG.columns)
assert set(ATTEMPT_END) < set(ATTEMPT.columns)


class Texts:
    """JSON values of a group as text, each made once: a request stands on its attempt and on its task, so does an
    answer, and a constant config is one object for all its calls."""

    __slots__ = ("_known",)

    def __init__(self) -> None:
        self._known: dict[int, tuple[JSON, Encoded]] = {}

    def of(self, value: JSON) -> Encoded | None:
        if value is None:
            return None
        known = self._known.get(id(value))
        if known is None:
            # Holding the object keeps its id from being given to another.
            known = self._known[id(value)] = (value, Encoded(dumps(value)))
        return known[1]

    def of_request(self, request: JSON) -> Encoded | None:
        if request is None or list(request) != ["config", "input"] or None in request.values():
            return self.of(request)
        return Encoded(f'{{"config":{self.of(request["config"])},"input":{self.of(request["input"])}}}')


@dataclass(slots=True)
class GroupRows:
    """All rows of a group of units, by statement."""

    tasks: list[Sequence[Any]] = field(default_factory=list)
    ended_tasks: list[Sequence[Any]] = field(default_factory=list)
    begun: list[Sequence[Any]] = field(default_factory=list)
    ended: list[Sequence[Any]] = field(default_factory=list)
    logs: list[Sequence[Any]] = field(default_factory=list)
    _texts: Texts = field(default_factory=Texts)

    def add(self, unit: Unit, flow: CompiledFlow | None) -> None:
        for task in unit.tasks.values():
            if _has_only_ended(unit, task):
                self.ended_tasks.append(ended_task_row(unit.instance_id, task, self._texts))
                continue
            assert flow is not None, "a unit that writes tasks names its flow"
            self.tasks.append(task_row(unit.instance_id, task, flow, self._texts))
        for attempt in unit.attempts.values():
            if attempt.is_start:
                self.begun.append(attempt_row(attempt, self._texts))
            else:
                self.ended.append(ended_attempt_row(attempt, self._texts))
        self.logs += [log_row(unit.instance_id, log) for log in unit.logs]


def _has_only_ended(unit: Unit, task: TaskState) -> bool:
    """Its last attempt began in an earlier unit, and no person's act changed what it is run with."""
    last = unit.attempts.get((task.task_id, task.attempt))
    return last is not None and not last.is_start and not unit.verdicts


def ended_task_row(instance_id: str, task: TaskState, texts: Texts) -> list[Any]:
    error = task.error or NO_ERROR
    return [
        f"{instance_id}:{task.task_id}",
        task.status,
        task.skip_reason,
        texts.of(task.output),
        texts.of(task.result),
        *_error(error),
        error.final,
        task.attempt,
        task.run,
        task.retries,
        task.next_at,
        task.first_failed_at,
        task.completed_at,
    ]


def task_row(instance_id: str, task: TaskState, flow: CompiledFlow, texts: Texts) -> list[Any]:
    spec = flow.specs[task.task_id]
    error = task.error or NO_ERROR
    return [
        f"{instance_id}:{task.task_id}",
        instance_id,
        task.task_id,
        spec.task_name,
        spec.name[:255],
        spec.type,
        task.status,
        task.skip_reason,
        texts.of(task.config),
        texts.of(task.input),
        texts.of(task.override),
        texts.of(task.output),
        texts.of(task.result),
        *_error(error),
        error.final,
        task.attempt,
        task.run,
        task.retries,
        task.max_retry,
        task.next_at,
        task.first_failed_at,
        task.started_at,
        task.completed_at,
    ]


def attempt_id(attempt: AttemptRow) -> str:
    return f"{attempt.instance_id}:{attempt.task_id}:{attempt.number}"


def attempt_row(attempt: AttemptRow, texts: Texts) -> list[Any]:
    return [
        attempt_id(attempt),
        attempt.instance_id,
        attempt.task_id,
        attempt.number,
        attempt.run,
        attempt.fence,
        attempt.worker,
        attempt.key,
        attempt.request_digest,
        attempt.started_at,
        *_error(attempt.error or NO_ERROR),
        attempt.status,
        attempt.ended_at,
        attempt.duration_ms,
        texts.of(attempt.response),
        texts.of_request(attempt.request),
        texts.of(attempt.stale),
    ]


def ended_attempt_row(attempt: AttemptRow, texts: Texts) -> list[Any]:
    """Its row is there since the attempt began."""
    return [
        attempt_id(attempt),
        attempt.status,
        texts.of(attempt.response),
        *_error(attempt.error or NO_ERROR),
        attempt.ended_at,
        attempt.duration_ms,
    ]


def log_row(instance_id: str, log: LogRow) -> list[Any]:
    return [
        f"{instance_id}:{log.seq}",
        instance_id,
        log.seq,
        log.task_id,
        log.action,
        clean_text(log.message),
        log.details,
        log.at,
    ]


def _error(error: ErrorInfo) -> tuple[str, str, str, str]:
    """Codes may be a target's own words: what the columns cannot hold is cut, never refused."""
    if error is NO_ERROR:
        return ("", "", "", "")
    return (
        clean_text(error.type)[:64],
        clean_text(error.code)[:128],
        clean_text(error.message),
        clean_text(error.stack),
    )
