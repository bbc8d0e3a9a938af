"""Drives one instance by hand: every step is written to rows, and everything that must always hold is checked."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from disttask_project.kernel.json import JSON, loads_stored
from execution.domain.outcome import Failure, Outcome, Result, Sort
from execution.domain.states import InstanceStatus, TaskStatus
from execution.engine import core
from execution.engine.events import Abandon, Acts, Claimed, Defer, Ended, Event, Park, Start, Tick
from execution.engine.state import Act, AttemptRow, Effects, InstanceState, LogRow, PlannedCall, Verdict
from flows.domain.compiled import CompiledFlow
from retries.port import RetryPort
from tests.fakes.clock import FakeClock
from tests.fakes.compiled import make_flow
from tests.fakes.rows import MemoryRows
from tests.simulation.history import check_rows

OK = Result(value={"ok": True})
BUSY = Failure(sort=Sort.REFUSED_NOW, type="HttpError", code="HTTP_503", message="not now")
NO = Failure(sort=Sort.REFUSED, type="HttpError", code="HTTP_400", message="never", response={"code": 7})
UNSENT = Failure(sort=Sort.NEVER_SENT, type="ConnectError", code="CONNECT", message="no route")
LOST = Failure(sort=Sort.MAYBE_APPLIED, type="TimeoutError", code="TIMEOUT", message="no answer")


class Desk:
    """A driver, a store and an operator for one instance."""

    def __init__(
        self,
        tasks: Mapping[str, Mapping[str, Any]] | CompiledFlow,
        *,
        params: Mapping[str, Any] | None = None,
        seed: int = 1,
        **options: Any,
    ) -> None:
        self.flow = tasks if isinstance(tasks, CompiledFlow) else make_flow(tasks, **options)
        self.clock = FakeClock()
        self.rng = random.Random(seed)
        self.port = RetryPort()
        self.rows = MemoryRows(
            id="order-1", flow=self.flow, params=dict(params or {}), created_at=self.clock.now(), deadline_at=None
        )
        if self.flow.timeout_seconds is not None:
            self.rows.columns["deadline_at"] = self.clock.now() + timedelta(seconds=self.flow.timeout_seconds)
        self.state: InstanceState | None = None  # None: nobody owns the instance
        self.calls: dict[str, PlannedCall] = {}
        self.last = Effects()
        self._acts = 0

    @property
    def owned(self) -> InstanceState:
        assert self.state is not None, "nobody owns the instance"
        return self.state

    def status(self) -> InstanceStatus:
        return self.rows.status

    def task_status(self, task_id: str) -> TaskStatus:
        task = self.rows.tasks.get(task_id)
        return TaskStatus.PENDING if task is None else task.status

    def attempt(self, task_id: str, number: int = 1) -> AttemptRow:
        return self.rows.attempts[task_id, number]

    def exceptions(self, task_id: str) -> list[dict[str, Any]]:
        return [row for row in self.rows.exceptions.values() if row["task_id"] == task_id]

    def logged(self, action: str, task_id: str | None = None) -> list[LogRow]:
        return [row for row in self.rows.logs if row.action == action and task_id in (None, row.task_id)]

    def step(self, event: Event) -> Effects:
        """One step of the owned state, committed and checked."""
        state = self.owned
        effects = core.step(state, event, now=self.clock.now(), rng=self.rng, port=self.port)
        self.last = effects
        if effects.unit is not None:
            assert effects.unit.base_rev == self.rows.rev
            assert effects.unit.fence == self.rows.fence
            self.rows.write(effects.unit)
        for call in effects.calls:
            self.calls[call.task_id] = call
        released = effects.unit is not None and effects.unit.release
        self._check(
            state, released=released, abandoned=isinstance(event, Abandon) or (isinstance(event, Defer) and released)
        )
        if released:
            self.state = None
            self.calls.clear()
        return effects

    def _check(self, state: InstanceState, *, released: bool, abandoned: bool) -> None:
        check_rows(self.rows)
        open_here = [task for task in state.tasks.values() if task.open_attempt is not None]
        assert state.in_flight == len(open_here) == len(self.rows.open_attempts)
        assert released == (core.is_idle(state) or abandoned)
        if released:
            at_rest = self.rows.is_at_rest
            assert (self.rows.wake_at is None) == at_rest, (self.status(), self.rows.wake_at)
        _check_reload(self, state)

    def claim(self, *, strikes: int | None = None) -> Effects:
        """A new owner; whatever the old one had in flight is lost with it."""
        self.rows.fence += 1
        if strikes is not None:
            self.rows.columns["strikes"] = strikes
        self.calls.clear()
        self.state = self.rows.load()
        return self.step(Claimed(open_attempts=self.rows.open_attempts))

    def park(self, code: str = "RECORD_REFUSED", *, refuse: Sequence[Act] = ()) -> Effects:
        self.rows.fence += 1
        self.calls.clear()
        self.state = self.rows.load()
        event = Park(code=code, message="the row was refused", open_attempts=self.rows.open_attempts, refuse=refuse)
        return self.step(event)

    def start(self, *task_ids: str) -> list[str]:
        """Start what may start (or only these); gives the ids whose calls left."""
        effects = self.step(Start(task_ids=task_ids or core.startable(self.owned), worker="worker-1"))
        return [call.task_id for call in effects.calls]

    def end(self, task_id: str, outcome: Outcome = OK) -> Effects:
        call = self.calls.pop(task_id)
        return self.step(Ended(task_id=task_id, attempt=call.attempt, outcome=outcome, duration_ms=5))

    def play(self, **outcomes: Outcome | Sequence[Outcome]) -> InstanceStatus:
        """Claim and run until nothing more happens by itself; each task takes its next outcome, else OK."""
        waiting = {task_id: [given] if isinstance(given, Result | Failure) else list(given)
                   for task_id, given in outcomes.items()}  # fmt: skip
        for _ in range(200):
            if self.state is None:
                if self.rows.wake_at is None:
                    return self.status()
                self.clock.advance(max(0.0, (self.rows.wake_at - self.clock.now()).total_seconds()))
                self.claim()
                continue
            if core.startable(self.state):
                self.start()
            elif self.calls:
                task_id = next(iter(self.calls))
                left = waiting.get(task_id)
                self.end(task_id, left.pop(0) if left else OK)
            else:
                self.pass_time()
        raise AssertionError("it never comes to rest")

    def pass_time(self, seconds: float | None = None) -> Effects:
        """Time passes for the owner: until its next tick, or so many seconds."""
        if seconds is None:
            at = core.next_tick(self.owned)
            assert at is not None
            seconds = max(0.0, (at - self.clock.now()).total_seconds())
        self.clock.advance(seconds)
        return self.step(Tick())

    def abandon(self) -> Effects:
        return self.step(Abandon())

    def make_act(self, act: str, task_id: str = "", **payload: Any) -> Act:
        self._acts += 1
        return Act(
            action_id=f"act-{self._acts}", act=act, task_id=task_id, payload=payload, actor="li.wei", reason="because"
        )

    def act(self, act: str, task_id: str = "", **payload: Any) -> Verdict | None:
        """An operator's act: by hold where nobody owns the instance, else through the owner. None: it waits."""
        asked = self.make_act(act, task_id, **payload)
        self.take_up([asked])
        return self.rows.verdicts.get(asked.action_id)

    def take_up(self, acts: Sequence[Act]) -> None:
        self.rows.inbox += len(acts)
        if self.state is not None:
            self.step(Acts(acts=acts, inbox=self.rows.inbox))
            return
        self.rows.fence += 1
        self.state = self.rows.load()
        first = Effects()
        if self.rows.open_attempts:
            first = core.step(
                self.state,
                Claimed(open_attempts=self.rows.open_attempts),
                now=self.clock.now(),
                rng=self.rng,
                port=self.port,
            )
        event = Acts(acts=acts, inbox=self.rows.inbox, release=True)
        second = core.step(self.state, event, now=self.clock.now(), rng=self.rng, port=self.port)
        assert second.unit is not None
        assert second.unit.release
        self.last = second
        self.rows.write(second.unit if first.unit is None else core.fold(first.unit, second.unit))
        check_rows(self.rows)
        assert (self.rows.wake_at is None) == self.rows.is_at_rest
        self.state = None


def _check_reload(desk: Desk, live: InstanceState) -> None:
    """A state built anew from the rows behaves as the live one does (but calls in flight are lost with their owner)."""
    loaded = desk.rows.load()
    for name in ("status", "needs_attention", "closed", "output", "error", "seq", "rev", "strikes", "deadline_at"):
        assert getattr(loaded, name) == getattr(live, name), name
    assert loaded.plan.marks == live.plan.marks
    assert loaded.plan.counts == live.plan.counts
    assert (loaded.plan.open, loaded.plan.failed) == (live.plan.open, live.plan.failed)
    assert loaded.scope == live.scope
    assert loads_stored(json.dumps(loaded.scope, default=str)) is not None
    if live.status not in (InstanceStatus.RUNNING, InstanceStatus.COMPENSATING):
        assert core.startable(live) == []
        return
    if live.status is InstanceStatus.RUNNING and (live.stop is None or live.stop["code"] != "INSTANCE_TIMEOUT"):
        assert (loaded.stop is None) == (live.stop is None)
    if live.in_flight or live.waiting_act is not None:
        return
    rows = copy.deepcopy(desk.rows.tasks)
    core.step(loaded, Claimed(), now=desk.clock.now(), rng=random.Random(1), port=desk.port)
    assert loaded.status is live.status
    due = {task_id for task_id, at in live.timers.items() if at <= desk.clock.now()}
    if live.may_start:
        assert set(loaded.plan.ready) == set(live.plan.ready) | {
            task_id for task_id in due if task_id in desk.flow.tasks
        }
    assert set(loaded.timers) == set(live.timers) - due
    if live.may_run_errands:
        assert set(loaded.errands) == set(live.errands) | {task_id for task_id in due if task_id not in desk.flow.tasks}
    assert loaded.may_start == live.may_start
    assert rows == desk.rows.tasks


def as_json(value: JSON) -> JSON:
    """What a store would give back."""
    return loads_stored(json.dumps(value))
