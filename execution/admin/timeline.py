"""The timeline of a run: a lane a task, attempts and waits as segments in percent of the whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from execution.selectors.run_page import Run, RunTask

MAX_LANES: Final = 120
_TICKS: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """`kind` is an attempt's status, or `wait` (until the next attempt) or `planned` (a retry that is due later)."""

    kind: str
    left: str
    width: str
    number: int
    start: datetime
    end: datetime
    length: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    task: RunTask
    segments: Sequence[Segment]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    left: str
    at: datetime
    offset: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    lanes: Sequence[Lane]
    ticks: Sequence[Tick]
    hidden: int


def timeline_of(run: Run) -> Timeline:
    """The lanes of all tasks that have begun, in the order they began."""
    begun = sorted((task for task in run.tasks if task.attempts), key=lambda task: task.attempts[0].started_at)
    start = min([run.instance.created_at, *(task.attempts[0].started_at for task in begun)])
    end = max(_end(run, begun), start + timedelta(milliseconds=1))
    scale = _Scale(start, end)
    lanes = [Lane(task=task, segments=_segments(task, run, scale)) for task in begun[:MAX_LANES]]
    length = end - start
    ticks = [
        Tick(
            left=scale.percent(start + length * step / _TICKS),
            at=start + length * step / _TICKS,
            offset=length * step / _TICKS,
        )
        for step in range(_TICKS + 1)
    ]
    return Timeline(lanes=lanes, ticks=ticks, hidden=max(0, len(begun) - MAX_LANES))


@dataclass(frozen=True, slots=True)
class _Scale:
    start: datetime
    end: datetime

    def percent(self, moment: datetime) -> str:
        share = (moment - self.start) / (self.end - self.start)
        return f"{min(max(share, 0.0), 1.0) * 100:.3f}"

    def segment(self, kind: str, number: int, start: datetime, end: datetime) -> Segment:
        width = max((min(end, self.end) - max(start, self.start)) / (self.end - self.start), 0.0) * 100
        return Segment(
            kind=kind,
            left=self.percent(start),
            width=f"{width:.3f}",
            number=number,
            start=start,
            end=end,
            length=end - start,
        )


def _end(run: Run, begun: Sequence[RunTask]) -> datetime:
    moments = [attempt.ended_at or run.now for task in begun for attempt in task.attempts]
    moments += [task.row.next_at for task in begun if task.status == "retrying" and task.row.next_at]
    if run.instance.completed_at:
        moments.append(run.instance.completed_at)
    elif run.instance.status in ("running", "pending"):
        moments.append(run.now)
    return max(moments, default=run.now)


def _segments(task: RunTask, run: Run, scale: _Scale) -> list[Segment]:
    segments: list[Segment] = []
    waited_from: datetime | None = None
    for attempt in task.attempts:
        if waited_from is not None:
            segments.append(scale.segment("wait", attempt.number, waited_from, attempt.started_at))
        ended = attempt.ended_at or run.now
        segments.append(scale.segment(attempt.status, attempt.number, attempt.started_at, ended))
        waited_from = ended
    if task.status == "retrying" and task.row.next_at and waited_from:
        segments.append(scale.segment("planned", len(task.attempts) + 1, waited_from, task.row.next_at))
    return segments
