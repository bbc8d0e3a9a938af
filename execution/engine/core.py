"""The engine without I/O: `step(state, event, now, rng, port) -> effects` (architecture 4.2).

The state is the caller's alone and is changed in place; the effects say what to commit and, once that is
committed, which calls to make. Everything is decided here; drivers, services and the simulator only perform.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from disttask_project.kernel.messages import text
from execution.domain.outcome import Failure, Sort
from execution.domain.planner import mark_of, new_plan
from execution.domain.states import InstanceStatus, TaskStatus
from execution.engine import acts, attempts, closing, readiness, undoing
from execution.engine.change import Change, fold, task_scope
from execution.engine.events import Abandon, Acts, Claimed, Defer, Ended, Event, Park, Start, Tick
from execution.engine.port import FailurePort
from execution.engine.recording import record_failure
from execution.engine.state import PARKED_ROWS, AttemptRow, Effects, InstanceState, PortRow, TaskState
from flows.domain.compiled import CompiledFlow

__all__ = [
    "STRIKE_LIMIT",
    "fold",
    "is_idle",
    "load_state",
    "next_tick",
    "next_wake",
    "room",
    "startable",
    "step",
    "waiting",
]

# The third lease that ran out without an outcome parks the instance (architecture 4.7).
STRIKE_LIMIT: Final = 3
# With so many the next one parks it.
SUSPECT: Final = STRIKE_LIMIT - 1


def load_state(*, flow: CompiledFlow, tasks: Mapping[str, TaskState], **columns: Any) -> InstanceState:
    """An instance as its rows stand; `columns` are the other fields of `InstanceState`. O(tasks + edges)."""
    marks = {
        task_id: mark_of(task.status, skip_reason=task.skip_reason, optional=flow.tasks[task_id].optional)
        for task_id, task in tasks.items()
        if task_id in flow.tasks
    }
    state = InstanceState(flow=flow, tasks=dict(tasks), plan=new_plan(flow, marks), **columns)
    for task_id, task in state.tasks.items():
        if task_id in flow.tasks:
            state.scope[task_id] = task_scope(task)
        if task.status is TaskStatus.RETRYING and task.next_at is not None:
            state.timers[task_id] = task.next_at
    state.stop = closing.stop_of(state)
    state.undo = undoing.plan_of(state)
    return state


def step(state: InstanceState, event: Event, *, now: datetime, rng: random.Random, port: FailurePort) -> Effects:
    """Apply one event. Raises only on a bug of ours (an illegal transition)."""
    change = Change(state, now=now, rng=rng, port=port)
    forced = False
    match event:
        case Ended():
            if not attempts.end(change, event):
                return Effects()
            if state.plan.open:  # a driver that slept hears of an answer before its tick
                closing.check_deadline(change)
        case Start():
            closing.check_deadline(change)
            attempts.start(change, event)
        case Claimed():
            _claimed(change, event.open_attempts)
        case Tick():
            readiness.wake_due(change)
            closing.check_deadline(change)
        case Acts():
            state.inbox = max(state.inbox, event.inbox)
            if event.release:
                readiness.recheck_all(change)  # it was loaded for this step alone: no claim has looked at its joins
            acts.take_up(change, event.acts)
            forced = event.release
        case Park():
            _give_up_open(change, event.open_attempts)
            closing.park(change, code=event.code, message=event.message)
            acts.refuse_all(change, event.refuse, code=event.code, reason=event.message)
        case Defer():
            return _defer(change, event)
        case Abandon():
            _abandon(change)
            return change.effects(release=True, wake_at=next_wake(state, now))
    acts.finish_waiting(change)
    readiness.settle_joins(change)
    closing.settle(change)
    idle = forced or is_idle(state)
    return change.effects(release=idle, wake_at=next_wake(state, now) if idle else None)


def startable(state: InstanceState) -> list[str]:
    """Ready tasks that may start now, oldest first: none while stopping or paused; `max_parallel` counts.

    Undos and checks come first: they settle what has begun already.
    """
    ready = waiting(state)
    most = room(state)
    return ready if most is None else ready[:most]


def waiting(state: InstanceState) -> list[str]:
    """All of them, of which `room` may start: whoever chooses may pass over some."""
    ready: list[str] = []
    if state.errands and state.may_run_errands:
        ready += state.errands
    if state.plan.ready and state.may_start:
        ready += state.plan.ready
    return ready


def room(state: InstanceState) -> int | None:
    """How many more calls `max_parallel` allows in flight; None: any number."""
    limit = state.flow.max_parallel
    return None if limit is None else max(0, limit - state.in_flight)


def is_idle(state: InstanceState) -> bool:
    """Nothing in flight and nothing to start: its owner gives the row back."""
    return state.in_flight == 0 and not _has_startable(state)


def _has_startable(state: InstanceState) -> bool:
    return bool(state.plan.ready and state.may_start) or bool(state.errands and state.may_run_errands)


def next_tick(state: InstanceState) -> datetime | None:
    """When an owned instance needs a `Tick`: the first retry that falls due, or its deadline."""
    times = list(state.timers.values())
    if state.deadline_at is not None and state.stop is None and state.status is InstanceStatus.RUNNING:
        times.append(state.deadline_at)
    return min(times, default=None)


def next_wake(state: InstanceState, now: datetime) -> datetime | None:
    """When somebody must look at an instance that is given back; None when it has ended or waits for a person."""
    undoing_now = state.status is InstanceStatus.COMPENSATING and not state.needs_attention
    if state.status not in (InstanceStatus.PENDING, InstanceStatus.RUNNING) and not undoing_now:
        return None
    # One that is pending has not been looked at: only a claim starts it.
    if state.status is InstanceStatus.PENDING or _has_startable(state):
        return now
    return next_tick(state)


def _claimed(change: Change, open_attempts: Sequence[AttemptRow]) -> None:
    state = change.state
    _give_up_open(change, open_attempts)
    if state.strikes >= STRIKE_LIMIT and state.status in closing.MOVING:
        closing.park(
            change,
            code="POISON",
            message=text(
                "Its worker died or hung {count} times in a row while it ran; it is parked until a person retries it.",
                count=state.strikes,
            ),
        )
        return
    if state.status is InstanceStatus.PENDING:
        state.started_at = change.now
        change.set_instance(InstanceStatus.RUNNING, "start")
    readiness.recheck_all(change)
    closing.check_deadline(change)


def _give_up_open(change: Change, open_attempts: Sequence[AttemptRow]) -> None:
    """Attempts that an older fence left open: nobody knows their outcome (architecture 4.7)."""
    rows = {row.task_id: row for row in open_attempts}
    lost = Failure(
        sort=Sort.MAYBE_APPLIED,
        type="UnknownOutcome",
        code="LEASE_LOST",
        message=text("The worker that made this call died or lost its lease; whether the call took effect is unknown."),
    )
    for task in [task for task in change.state.tasks.values() if task.status is TaskStatus.RUNNING]:
        row = rows.pop(task.task_id, None)
        record_failure(change, task, lost, row=row)
    for row in rows.values():
        # Its task has moved on already (a bug would be needed for it); the row must not stay open for ever.
        change.attempt(replace(row, is_start=False, status="unknown", ended_at=change.now))


def _defer(change: Change, event: Defer) -> Effects:
    state = change.state
    if state.in_flight or event.task_id not in waiting(state):
        return Effects()
    tick = next_tick(state)
    until = event.until if tick is None else min(event.until, tick)
    values = {"target_id": event.target, "task_id": event.task_id, "code": event.code, "until": until}
    change.port_rows([PortRow(table=PARKED_ROWS, key=state.id, values=values)])
    return change.effects(release=True, wake_at=until)


def _abandon(change: Change) -> None:
    drained = Failure(
        sort=Sort.MAYBE_APPLIED,
        type="UnknownOutcome",
        code="WORKER_STOPPED",
        message=text("The worker was stopped before the call ended; whether the call took effect is unknown."),
    )
    for task in [task for task in change.state.tasks.values() if task.open_attempt is not None]:
        record_failure(change, task, drained, row=None)
    acts.finish_waiting(change)
    readiness.settle_joins(change)
    closing.settle(change)
