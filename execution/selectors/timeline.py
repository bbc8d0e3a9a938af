"""What took how long: attempts and the waits between them, a segment each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from execution.domain.states import TaskStatus
from execution.models import Attempt, Instance, Task

MAX_ATTEMPTS: Final = 5_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """`kind`: attempt, wait (for the next attempt), planned (a retry due later). `ended_at` None: still on."""

    task_id: str
    kind: str
    number: int
    run: int
    status: str
    error_code: str
    started_at: datetime
    ended_at: datetime | None


def timeline(instance: Instance) -> list[Segment]:
    """All segments in order of their start; two queries."""
    rows = Attempt.objects.filter(instance_id=instance.pk).only(
        "task_id", "number", "run", "status", "error_code", "started_at", "ended_at"
    )
    by_task: dict[str, list[Attempt]] = {}
    for row in rows.order_by("started_at", "task_id", "number")[:MAX_ATTEMPTS]:
        by_task.setdefault(row.task_id, []).append(row)
    segments = [segment for attempts in by_task.values() for segment in _segments(attempts)]
    waiting = Task.objects.filter(instance_id=instance.pk, status=TaskStatus.RETRYING, next_at__isnull=False)
    for task_id, next_at in waiting.values_list("task_id", "next_at"):
        last = by_task.get(task_id, [])[-1:]
        if last and last[0].ended_at and next_at:
            segments.append(_wait("planned", last[0], last[0].ended_at, next_at))
    return sorted(segments, key=lambda segment: (segment.started_at, segment.task_id, segment.number))


def _segments(attempts: Sequence[Attempt]) -> list[Segment]:
    found: list[Segment] = []
    before: Attempt | None = None
    for row in attempts:
        if before is not None and before.ended_at and before.ended_at < row.started_at:
            found.append(_wait("wait", row, before.ended_at, row.started_at))
        found.append(
            Segment(
                task_id=row.task_id,
                kind="attempt",
                number=row.number,
                run=row.run,
                status=row.status,
                error_code=row.error_code,
                started_at=row.started_at,
                ended_at=row.ended_at,
            )
        )
        before = row
    return found


def _wait(kind: str, row: Attempt, start: datetime, end: datetime) -> Segment:
    number = row.number if kind == "wait" else row.number + 1
    return Segment(
        task_id=row.task_id,
        kind=kind,
        number=number,
        run=row.run,
        status="",
        error_code="",
        started_at=start,
        ended_at=end,
    )
