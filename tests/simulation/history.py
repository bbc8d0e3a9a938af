"""What the rows of an instance must tell, checked from its log alone and against the words of the language.

Nothing here uses the planner: joins are counted anew by `may_start`, straight from flow-definition section 3.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from execution.domain.states import INSTANCE_TRANSITIONS, TASK_TRANSITIONS, InstanceStatus, TaskStatus
from execution.engine.state import UNKNOWN_OUTCOME, LogRow
from flows.domain.compiled import CompiledFlow, CompiledTask, Kind, Strategy
from tests.fakes.rows import MemoryRows

RESTING = ("success", "failed", "cancelled", "paused", "compensated")


class Violation(AssertionError):
    """A promise that was broken."""


@dataclass(slots=True)
class Stand:
    """How a dependency stands, as the log tells it."""

    status: str = "pending"
    reason: str = ""


def may_start(
    join: Literal["all", "any"] | int, deps: Sequence[tuple[str, str, bool]]
) -> Literal["run", "wait", "branch", "unreachable"]:
    """Section 3, word by word, over (status, skip reason, optional) of every dependency."""
    if not deps:
        return "run"
    if join == "all":
        if all(status == "skipped" and reason == "branch" for status, reason, _ in deps):
            return "branch"
        fine = [status in ("success", "skipped") or (status == "failed" and optional) for status, _, optional in deps]
        return "run" if all(fine) else "wait"
    needed = 1 if join == "any" else int(join)
    counting = sum(status == "success" or (status == "skipped" and reason == "operator") for status, reason, _ in deps)
    if counting >= needed:
        return "run"
    ended = sum(status in ("success", "skipped", "failed", "cancelled") for status, _, _ in deps)
    if counting + len(deps) - ended >= needed:
        return "wait"
    return "unreachable" if any(status in ("failed", "cancelled") for status, _, _ in deps) else "branch"


class Replay:
    """Plays the log back and judges every row."""

    def __init__(self, flow: CompiledFlow, deadline_at: datetime | None = None) -> None:
        self.flow = flow
        self.deadline_at = deadline_at
        self.instance = "pending"
        self.tasks: dict[str, Stand] = {}
        self.attempts: dict[str, int] = {}
        self.tries: dict[str, int] = {}  # attempts since a person's last retry

    def play(self, logs: Iterable[LogRow]) -> None:
        for position, row in enumerate(logs, 1):
            if row.seq != position:
                raise Violation(f"log gap: {row.seq} at {position}")
            self._row(row)

    def _row(self, row: LogRow) -> None:
        details = row.details or {}
        if row.action in ("retry_now", "ask_now") or (row.action == "reset" and "run" in details):
            self.tries[row.task_id] = 0
        if "from" not in details:
            return
        old, new = str(details["from"]), str(details["to"])
        if not row.task_id:
            self._expect(self.instance == old, row, f"instance was {self.instance}")
            self._expect(InstanceStatus(new) in INSTANCE_TRANSITIONS[InstanceStatus(old)], row, "not in the table")
            self.instance = new
            return
        stand = self.tasks.setdefault(row.task_id, Stand())
        if old == "pending" and self.flow.specs[row.task_id].kind is not Kind.FORWARD:
            stand.status = "pending"  # an undo or a check begun anew
            self.tries[row.task_id] = 0
        self._expect(stand.status == old, row, f"task was {stand.status}")
        self._expect(TaskStatus(new) in TASK_TRANSITIONS[TaskStatus(old)], row, "not in the table")
        if new == "running":
            self._start(row, old)
        elif row.action == "skip" and details["reason"] != "operator":
            self._expect(self._join(row.task_id) == ("branch" if details["reason"] == "branch" else "run"), row, "skip")
        elif old == "pending" and details.get("code") == "JOIN_UNREACHABLE":
            self._expect(self._join(row.task_id) == "unreachable", row, "its join can still be reached")
        stand.status, stand.reason = new, str(details.get("reason", ""))

    def _start(self, row: LogRow, old: str) -> None:
        task = self.flow.specs[row.task_id]
        expected = "compensating" if task.kind is Kind.UNDO else "running"
        self._expect(self.instance == expected, row, f"started while the instance is {self.instance}")
        if task.kind is Kind.UNDO:
            self._undo(row, task)
        elif task.kind is Kind.FORWARD and self.deadline_at is not None and row.at > self.deadline_at:
            self._expect(False, row, "started after the instance's deadline")
        elif task.kind is Kind.FORWARD and old == "pending":
            self._expect(self._join(row.task_id) == "run", row, "started before its join holds")
        self.attempts[row.task_id] = self.attempts.get(row.task_id, 0) + 1
        self._expect(row.details["attempt"] == self.attempts[row.task_id], row, "attempts are not numbered in order")
        self.tries[row.task_id] = self.tries.get(row.task_id, 0) + 1
        self._expect(self.tries[row.task_id] <= _limit(task), row, f"more than {_limit(task)} attempts")

    def _undo(self, row: LogRow, undo: CompiledTask) -> None:
        """Section 6: in reverse order of dependency, and only what is to be undone."""
        self._expect(self.tasks[undo.of].status == "compensating", row, "its task is not to be undone")
        later, found = [undo.of], {undo.of}
        while later:
            for dependent in self.flow.dependents[later.pop()]:
                if dependent not in found:
                    found.add(dependent)
                    later.append(dependent)
        found.discard(undo.of)
        waiting = [other for other in found if self.tasks.get(other, Stand()).status == "compensating"]
        self._expect(not waiting, row, f"undone before {waiting}")

    def _join(self, task_id: str) -> str:
        task = self.flow.tasks[task_id]
        deps = []
        for dependency in task.depends_on:
            stand = self.tasks.get(dependency, Stand())
            deps.append((stand.status, stand.reason, self.flow.tasks[dependency].optional))
        return may_start(task.join, deps)

    def _expect(self, holds: bool, row: LogRow, why: str) -> None:
        if not holds:
            raise Violation(f"log {row.seq} {row.action} {row.task_id} {row.details}: {why}")


def _limit(task: CompiledTask) -> int:
    """Under `manual` only unknown outcomes are tried again by rule, and those count too; a check has no first try."""
    if task.kind is Kind.CHECK:
        return task.retry.max_attempts
    return 1 if task.retry.strategy is Strategy.NO_RETRY else 1 + task.retry.max_attempts


def check_rows(rows: MemoryRows) -> None:
    """The rows of an instance agree with its log and with each other; raises `Violation`."""
    replay = Replay(rows.flow, rows.columns["deadline_at"])
    replay.play(rows.logs)
    _same(rows, "instance", replay.instance, str(rows.status))
    _same(rows, "seq", len(rows.logs), rows.columns["seq"])
    for task_id, task in rows.tasks.items():
        _same(rows, f"status of {task_id}", replay.tasks.get(task_id, Stand()).status, str(task.status))
        _same(rows, f"attempts of {task_id}", replay.attempts.get(task_id, 0), task.attempt)
        _check_exceptions(rows, task_id)
    running = {task_id for task_id, task in rows.tasks.items() if task.status is TaskStatus.RUNNING}
    _same(rows, "open attempts", running, {row.task_id for row in rows.open_attempts})
    unknown = {task_id for task_id, task in rows.tasks.items() if task.status is TaskStatus.UNKNOWN}
    _same(rows, "tasks left unknown without a check", set(), {name for name in unknown if not _is_asked(rows, name)})
    for key, row in rows.attempts.items():
        if row.status != "started" and row.ended_at is None:
            raise Violation(f"{rows.id} attempt {key} {row.status} without an end")
    if rows.is_at_rest:
        _check_rest(rows)


def _is_asked(rows: MemoryRows, task_id: str) -> bool:
    check = rows.flow.tasks[task_id].check
    asking = (TaskStatus.RETRYING, TaskStatus.RUNNING)
    return check is not None and check.id in rows.tasks and rows.tasks[check.id].status in asking


def _check_exceptions(rows: MemoryRows, task_id: str) -> None:
    """What has failed for good is open until somebody deals with it; what is well, or not yet due, is not."""
    task = rows.tasks[task_id]
    if rows.flow.specs[task_id].kind is Kind.CHECK or task.status is TaskStatus.COMPENSATING:
        return  # a check's doubt is told on its task; what is being undone has failed until it is
    mine = [row for row in rows.exceptions.values() if row["task_id"] == task_id]
    states = {row["state"] for row in mine}
    if task.status is TaskStatus.FAILED:
        settled = rows.columns["closed"]  # closing or cancelling settles what was open
        if not settled and "open" not in states:
            raise Violation(f"{rows.id} {task_id} has failed and has no open exception: {states}")
        if sum(row["state"] == "open" for row in mine) > 1:
            raise Violation(f"{rows.id} {task_id} has several open exceptions")
    elif "open" in states:
        raise Violation(f"{rows.id} {task_id} is {task.status} and has an open exception")
    elif task.status in (TaskStatus.SUCCESS, TaskStatus.SKIPPED, TaskStatus.CANCELLED) and "retrying" in states:
        raise Violation(f"{rows.id} {task_id} is {task.status} and its exception is being retried")


def _check_rest(rows: MemoryRows) -> None:
    """Nothing is under way in an instance that ended, is held or paused; one parked unread stays as it stood."""
    if _is_unread(rows):
        return
    if rows.open_attempts:
        raise Violation(f"{rows.id} is {rows.status} with open attempts")
    waiting = [task_id for task_id, task in rows.tasks.items() if task.status is TaskStatus.RETRYING]
    if waiting and rows.status is not InstanceStatus.PAUSED:
        raise Violation(f"{rows.id} is {rows.status} and {waiting} still wait for a retry")
    held = rows.status in (InstanceStatus.FAILED, InstanceStatus.COMPENSATING) and not rows.columns["closed"]
    _same(rows, "needs_attention", held, rows.columns["needs_attention"])
    if rows.status is InstanceStatus.PAUSED:
        return
    _same(rows, "completed_at", not held, rows.columns["completed_at"] is not None)
    if rows.status is InstanceStatus.FAILED and not rows.columns["error"]:
        raise Violation(f"{rows.id} has failed and does not say why")
    if rows.status is InstanceStatus.SUCCESS:
        _check_success(rows)
    if rows.status is InstanceStatus.COMPENSATED:
        _check_compensated(rows)


def _is_unread(rows: MemoryRows) -> bool:
    """Parked by a driver that lacks its version: nobody could look at its tasks."""
    own = [row for row in rows.exceptions.values() if row["task_id"] == "" and row["error_code"] == "UNLOADABLE"]
    return any(row["state"] == "open" for row in own)


def _check_success(rows: MemoryRows) -> None:
    for task_id, spec in rows.flow.tasks.items():
        task = rows.tasks.get(task_id)
        status = "pending" if task is None else str(task.status)
        if status not in ("success", "skipped") and not (status == "failed" and spec.optional):
            raise Violation(f"{rows.id} succeeded although {task_id} is {status}")


def _check_compensated(rows: MemoryRows) -> None:
    """Whatever took effect and can be undone was, but for what a person left in place; nothing is asked of anybody."""
    for task_id, spec in rows.flow.tasks.items():
        task = rows.tasks.get(task_id)
        if spec.undo is None or task is None:
            continue
        undo = rows.tasks.get(spec.undo.id)
        left = undo is not None and undo.status is TaskStatus.SKIPPED
        done = task.status is TaskStatus.SUCCESS or (task.error is not None and task.error.type == UNKNOWN_OUTCOME)
        if done and not left and task.status is not TaskStatus.COMPENSATED:
            raise Violation(f"{rows.id} is compensated although {task_id} is {task.status}")
    if still := [row["task_id"] for row in rows.exceptions.values() if row["state"] not in ("resolved", "ignored")]:
        raise Violation(f"{rows.id} is compensated and has open exceptions: {still}")


def _same(rows: MemoryRows, what: str, expected: object, found: object) -> None:
    if expected != found:
        raise Violation(f"{rows.id} {what}: expected {expected}, found {found}")
