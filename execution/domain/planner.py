"""Which task may start next (flow-definition 3): counters a task, moved in O(dependents) by every ending.

The plan never decides by itself what happens to a task; it says what its join allows, and the core acts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from execution.domain.states import SkipReason, TaskStatus
from flows.domain.compiled import CompiledFlow


class Mark(StrEnum):
    """What a dependency is to those that wait for it."""

    OPEN = "open"
    SUCCESS = "success"  # ended well, or a person skipped it: counts for every join
    SKIPPED = "skipped"  # its condition was false: ends an `all`, does not count for `any` or n
    BRANCH = "branch"  # like SKIPPED; all of them branch-skipped takes the whole branch
    TOLERATED = "tolerated"  # failed for good, but optional: like SKIPPED, yet something did fail
    FAILED = "failed"  # failed for good; a person may still retry it


class Decision(StrEnum):
    """What a join allows."""

    WAIT = "wait"
    RUN = "run"
    SKIP_BRANCH = "skip_branch"
    UNREACHABLE = "unreachable"


Join = Literal["all", "any"] | int


@dataclass(slots=True)
class Counts:
    """How many dependencies of a task carry each mark that is not OPEN; `total` is how many there are."""

    total: int
    success: int = 0
    skipped: int = 0
    branch: int = 0
    tolerated: int = 0
    failed: int = 0

    def move(self, old: Mark, new: Mark) -> None:
        if old is not Mark.OPEN:
            setattr(self, old, getattr(self, old) - 1)
        if new is not Mark.OPEN:
            setattr(self, new, getattr(self, new) + 1)


def decide(join: Join, counts: Counts) -> Decision:
    """The truth table of a join over how its dependencies stand."""
    if counts.total == 0:
        return Decision.RUN
    if join == "all":
        if counts.branch == counts.total:
            return Decision.SKIP_BRANCH
        ended = counts.success + counts.skipped + counts.branch + counts.tolerated
        return Decision.RUN if ended == counts.total else Decision.WAIT
    needed = 1 if join == "any" else int(join)
    if counts.success >= needed:
        return Decision.RUN
    ended = counts.success + counts.skipped + counts.branch + counts.tolerated + counts.failed
    if counts.success + (counts.total - ended) >= needed:
        return Decision.WAIT
    return Decision.UNREACHABLE if counts.tolerated + counts.failed else Decision.SKIP_BRANCH


def mark_of(status: TaskStatus, *, skip_reason: str, optional: bool) -> Mark:
    """How a task in this state stands for its dependents."""
    if status is TaskStatus.SUCCESS:
        return Mark.SUCCESS
    if status is TaskStatus.SKIPPED:
        if skip_reason == SkipReason.OPERATOR:
            return Mark.SUCCESS
        return Mark.BRANCH if skip_reason == SkipReason.BRANCH else Mark.SKIPPED
    if status in (TaskStatus.FAILED, TaskStatus.CANCELLED):
        return Mark.TOLERATED if optional else Mark.FAILED
    return Mark.OPEN


@dataclass(slots=True)
class Plan:
    """The joins of one instance. `open` counts tasks that have not ended."""

    flow: CompiledFlow
    counts: dict[str, Counts]
    marks: dict[str, Mark]
    open: int
    failed: int = 0  # tasks marked FAILED
    # Tasks whose join holds and that wait for a slot, in the order they became ready (a dict keeps it).
    ready: dict[str, None] = field(default_factory=dict)

    def set_mark(self, task_id: str, mark: Mark) -> Iterable[str]:
        """Note how a task stands now; gives those whose join may have changed."""
        old = self.marks[task_id]
        if old is mark:
            return ()
        self.marks[task_id] = mark
        self.open += (mark is Mark.OPEN) - (old is Mark.OPEN)
        self.failed += (mark is Mark.FAILED) - (old is Mark.FAILED)
        dependents = self.flow.dependents.get(task_id, ())
        for dependent in dependents:
            self.counts[dependent].move(old, mark)
        return dependents

    def decision(self, task_id: str) -> Decision:
        return decide(self.flow.tasks[task_id].join, self.counts[task_id])


def new_plan(flow: CompiledFlow, marks: Mapping[str, Mark]) -> Plan:
    """The plan of an instance whose tasks stand as `marks` says; a task that is not named is open. O(tasks + edges)."""
    counts = {task_id: Counts(len(task.depends_on)) for task_id, task in flow.tasks.items()}
    all_marks = dict.fromkeys(flow.tasks, Mark.OPEN)
    plan = Plan(flow=flow, counts=counts, marks=all_marks, open=len(all_marks))
    for task_id, mark in marks.items():
        plan.set_mark(task_id, mark)
    return plan
