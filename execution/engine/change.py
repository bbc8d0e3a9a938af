"""One step's changes of one instance: every status change goes through here, checked, logged and collected."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from disttask_project.kernel.json import JSON
from execution.domain.planner import mark_of
from execution.domain.states import InstanceStatus, TaskStatus, check_instance, check_task
from execution.engine.port import FailedTask, FailurePort
from execution.engine.state import (
    Act,
    AttemptRow,
    Effects,
    InstanceState,
    LogRow,
    PlannedCall,
    PortRow,
    TaskState,
    Unit,
    Verdict,
    instance_columns,
)
from flows.domain.compiled import CompiledTask, Kind


class Change:
    """Collects a `Unit`. The step's time, random numbers and failure port ride along."""

    __slots__ = ("calls", "may_follow", "now", "port", "recheck", "rng", "state", "touched", "unit", "worker")

    def __init__(self, state: InstanceState, *, now: datetime, rng: random.Random, port: FailurePort) -> None:
        self.state = state
        self.now = now
        self.rng = rng
        self.port = port
        self.worker = ""
        self.unit = Unit(
            instance_id=state.id, fence=state.fence, base_rev=state.rev, rev=state.rev + 1, flow=state.flow
        )
        self.calls: list[PlannedCall] = []
        self.recheck: list[str] = []  # tasks whose join may have changed
        self.touched = False
        # Whether its failure flow is still to be asked for: what was over before this step has asked already.
        self.may_follow = state.flow.failure_flow is not None and not state.is_lost

    def log(self, action: str, task_id: str = "", message: str = "", details: JSON = None) -> None:
        self.state.seq += 1
        self.unit.logs.append(
            LogRow(
                seq=self.state.seq,
                task_id=task_id,
                action=action,
                message=message,
                details=details,
                at=self.now,
            )
        )
        self.touched = True

    def task(self, task_id: str) -> TaskState:
        """The task's state, made when it first leaves `pending`; it will be written."""
        task = self.state.tasks.get(task_id)
        if task is None:
            retry = self.state.flow.specs[task_id].retry
            task = self.state.tasks[task_id] = TaskState(task_id=task_id, max_retry=retry.most_retries)
        self.unit.tasks[task_id] = task
        self.touched = True
        return task

    def fresh_errand(self, task_id: str) -> TaskState:
        """An undo or a check begun anew: a run of its own, in which nothing has been tried yet."""
        spec = self.state.flow.specs[task_id]
        before = self.state.tasks.get(task_id)
        task = TaskState(task_id=task_id, max_retry=spec.retry.most_retries)
        if before is not None:
            task.attempt, task.run = before.attempt, before.run + 1
        self.state.tasks[task_id] = self.unit.tasks[task_id] = task
        self.touched = True
        return task

    def set_task(self, task: TaskState, status: TaskStatus, action: str, message: str = "", **details: Any) -> None:
        """Change a task's status: checked against the table, logged, and told to the plan."""
        old = task.status
        check_task(old, status)
        task.status = status
        self.unit.tasks[task.task_id] = task
        self.log(action, task.task_id, message, {"from": old, "to": status, **details})
        if status.has_ended:
            task.completed_at = self.now
            task.next_at = None
        if status is not TaskStatus.RETRYING:
            self.state.timers.pop(task.task_id, None)
        spec = self.state.flow.specs[task.task_id]
        if spec.kind is not Kind.FORWARD:
            self.state.errands.pop(task.task_id, None)
            return
        mark = mark_of(status, skip_reason=task.skip_reason, optional=spec.optional)
        self.recheck.extend(self.state.plan.set_mark(task.task_id, mark))
        self.state.plan.ready.pop(task.task_id, None)
        self.state.scope[task.task_id] = task_scope(task)

    def set_instance(self, status: InstanceStatus, action: str, message: str = "", **details: Any) -> None:
        """Change the instance's status: checked against the table and logged."""
        old = self.state.status
        check_instance(old, status)
        self.state.status = status
        self.log(action, "", message, {"from": old, "to": status, **details})

    def attempt(self, row: AttemptRow) -> None:
        """Write an attempt row; an end folds into the start of the same step."""
        key = (row.task_id, row.number)
        begun = self.unit.attempts.get(key)
        self.unit.attempts[key] = fold_attempt(begun, row) if begun else row
        self.touched = True

    def port_rows(self, rows: Iterable[PortRow]) -> None:
        self.unit.rows.extend(rows)

    def verdict(self, act: Act, message: str, *, before: JSON = None, after: JSON = None) -> None:
        self._decide(act, done=True, code="", message=message, before=before, after=after)

    def refuse(self, act: Act, code: str, message: str) -> None:
        self._decide(act, done=False, code=code, message=message)

    def _decide(
        self, act: Act, *, done: bool, code: str, message: str, before: JSON = None, after: JSON = None
    ) -> None:
        self.state.decided.add(act.action_id)
        self.unit.verdicts.append(
            Verdict(action_id=act.action_id, done=done, code=code, message=message, before=before, after=after)
        )
        self.touched = True

    def effects(self, *, release: bool, wake_at: datetime | None) -> Effects:
        """Close the step: the unit gets its snapshots, the state its new rev. Nothing changed: no unit."""
        if not self.touched and not release:
            return Effects()
        state, unit = self.state, self.unit
        state.rev = unit.rev
        unit.tasks = {task_id: task.snapshot() for task_id, task in unit.tasks.items()}
        unit.instance = instance_columns(state, now=self.now)
        unit.release = release
        unit.wake_at = wake_at
        return Effects(unit=unit, calls=self.calls)


_UNDONE: Final = (TaskStatus.COMPENSATING, TaskStatus.COMPENSATED)


def failed_task(state: InstanceState, spec: CompiledTask | None, task: TaskState, now: datetime) -> FailedTask:
    """The task as the failure port sees it; `spec` None stands for the instance itself."""
    return FailedTask(
        instance_id=state.id,
        flow_id=state.flow_id,
        flow_name=state.flow.name,
        task_id=task.task_id,
        task_name=spec.task_name if spec else "",
        run=task.run,
        attempt=task.attempt,
        retries=task.retries,
        first_failed_at=task.first_failed_at or now,
        runbook=spec.runbook if spec else state.flow.runbook,
    )


def task_scope(task: TaskState) -> dict[str, Any]:
    """`tasks.<id>` of expressions. What a task does not have yet is missing, so that reading it is an error."""
    scope: dict[str, Any] = {"status": str(task.status)}
    if task.input is not None:
        scope["input"] = task.input
    if task.status is TaskStatus.SUCCESS or (task.status in _UNDONE and task.error is None):
        scope["result"] = task.result
        scope["output"] = task.result if task.output is None else task.output
    elif task.status is TaskStatus.SKIPPED:
        scope["result"] = scope["output"] = {}
    if task.error is not None and task.status is not TaskStatus.SUCCESS:
        error = task.error
        scope["error"] = {
            "type": error.type,
            "code": error.code,
            "message": error.message,
            "final": error.final,
        }
    return scope


def fold(first: Unit, second: Unit) -> Unit:
    """Two units of one instance, in order, as one."""
    attempts = dict(first.attempts)
    for key, row in second.attempts.items():
        begun = attempts.get(key)
        attempts[key] = fold_attempt(begun, row) if begun else row
    return Unit(
        instance_id=first.instance_id,
        fence=second.fence,
        base_rev=first.base_rev,
        rev=second.rev,
        instance=second.instance,
        tasks={**first.tasks, **second.tasks},
        attempts=attempts,
        logs=first.logs + second.logs,
        rows=first.rows + second.rows,
        verdicts=first.verdicts + second.verdicts,
        release=second.release,
        wake_at=second.wake_at,
        flow=second.flow,
    )


def fold_attempt(begun: AttemptRow, ended: AttemptRow) -> AttemptRow:
    """An attempt's start and end written at once."""
    if not begun.is_start:
        return ended
    return replace(
        begun,
        status=ended.status,
        response=ended.response,
        error=ended.error,
        ended_at=ended.ended_at,
        duration_ms=ended.duration_ms,
        stale=ended.stale,
    )
