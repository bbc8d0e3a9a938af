"""Reads the execution log of every instance, in order, against the tables of states and the graph."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from operator import itemgetter
from typing import Any

from disttask_project.kernel import json
from execution.domain.states import INSTANCE_TRANSITIONS, TASK_TRANSITIONS, InstanceStatus, TaskStatus
from execution.models import Attempt, ExecutionLog, Instance, Task

Row = tuple[str, int, str, str, Any]  # instance, seq, task, action, details


@dataclass(slots=True)
class History:
    rows: int = 0
    starts: int = 0
    illegal: int = 0
    early: int = 0
    stale: int = 0


@dataclass(slots=True)
class _Story:
    """One instance, as far as its log has been read."""

    last: int = 0
    fence: int = 0
    states: dict[str, str] = field(default_factory=dict)


def judge(depends: Mapping[str, Sequence[str]]) -> History:
    """`depends` names the dependencies of each task of the flows that ran."""
    found = History()
    fences = {
        (instance_id, task_id, number): fence
        for instance_id, task_id, number, fence in Attempt.objects.values_list(
            "instance_id", "task_id", "number", "fence"
        ).iterator()
    }
    ends: dict[str, dict[str, str]] = {}
    for instance_id, rows in groupby(_rows(), key=itemgetter(0)):
        story = _Story()
        for row in rows:
            _read(found, story, row, depends, fences)
        ends[instance_id] = story.states
    found.illegal += _unlike_rows(ends)
    return found


def _rows() -> Iterator[Row]:
    rows = ExecutionLog.objects.order_by("instance_id", "seq")
    return rows.values_list("instance_id", "seq", "task_id", "action", "details").iterator()


def _read(
    found: History,
    story: _Story,
    row: Row,
    depends: Mapping[str, Sequence[str]],
    fences: Mapping[tuple[str, str, int], int],
) -> None:
    instance_id, seq, task_id, action, raw = row
    found.rows += 1
    found.illegal += seq != story.last + 1
    story.last = seq
    details = json.loads_stored(raw) if isinstance(raw, str) else raw
    if not isinstance(details, dict) or "to" not in details:
        return
    old, new = details["from"], details["to"]
    found.illegal += not _is_legal(task_id, old, new) or story.states.get(task_id, "pending") != old
    story.states[task_id] = new
    if task_id and action == "start":
        found.starts += 1
        found.early += any(story.states.get(each) not in ("success", "skipped") for each in depends.get(task_id, ()))
        fence = fences.get((instance_id, task_id, details["attempt"]), 0)
        found.stale += fence < story.fence or fence == 0
        story.fence = max(story.fence, fence)


def _is_legal(task_id: str, old: str, new: str) -> bool:
    if task_id:
        return TaskStatus(new) in TASK_TRANSITIONS[TaskStatus(old)]
    return InstanceStatus(new) in INSTANCE_TRANSITIONS[InstanceStatus(old)]


def _unlike_rows(ends: Mapping[str, Mapping[str, str]]) -> int:
    """Rows whose status is not the one their log ends with."""
    instances = Instance.objects.values_list("id", "status").iterator()
    wrong = sum(ends.get(instance_id, {}).get("", "pending") != status for instance_id, status in instances)
    tasks = Task.objects.values_list("instance_id", "task_id", "status").iterator()
    return wrong + sum(ends.get(instance_id, {}).get(task_id) != status for instance_id, task_id, status in tasks)
