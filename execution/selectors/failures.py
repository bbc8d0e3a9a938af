"""The failure matrix of a flow: what would follow if a task failed for good, or if nobody knew what it did.

Played by the engine's own core, task by task, without calling anything. What depends on answers is left out: conditions
hold, inputs are empty, every other call succeeds.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from execution.domain.outcome import Failure, Outcome, Result, Sort
from execution.domain.states import InstanceStatus, TaskStatus
from execution.engine import core
from execution.engine.events import Claimed, Ended, Event, Start, Tick
from execution.engine.loading import failure_port
from execution.engine.state import InstanceState, PlannedCall
from execution.executors.base import executor_types
from flows.domain.compiled import CompiledFlow, CompiledTask, Kind, OnFailure, OnUnknown, Strategy
from flows.domain.graph import Ancestors, topological_order
from flows.domain.templates import template

# Task starts that one matrix may take: some seconds. Larger flows are sampled, or told of without being played.
MOST_STARTS: Final = 20_000
MOST_TRIES: Final = 5  # of one call: more tell nothing new
_EPOCH: Final = datetime(2000, 1, 1, tzinfo=UTC)
_EMPTY: Final = template({})
_FAILED: Final = Failure(sort=Sort.REFUSED, type="Drill", code="DRILL", message="failed for good")
_UNKNOWN: Final = Failure(sort=Sort.MAYBE_APPLIED, type="UnknownOutcome", code="DRILL", message="nobody knows")


@dataclass(slots=True, kw_only=True)
class Drill:
    """One task going wrong. `outcome`: failed, unknown; `undone` in the order it happens, a list for each step."""

    task_id: str
    outcome: str
    ran: list[str] = field(default_factory=list)
    undone: list[list[str]] = field(default_factory=list)
    nothing_to_undo: list[str] = field(default_factory=list)
    repeated: list[str] = field(default_factory=list)  # called again, and the target cannot tell
    status: str = ""
    closed: bool = False
    waits_for: str = ""  # person, or nobody


@dataclass(frozen=True, slots=True, kw_only=True)
class Matrix:
    """`no_undo` and `no_key` tell of all tasks; `drills` of `played` of them, where there are too many to play all."""

    tasks: int
    played: int
    no_undo: Sequence[str]
    no_key: Sequence[str]
    drills: Sequence[Drill]

    @property
    def is_sample(self) -> bool:
        return self.played < self.tasks

    def as_dict(self) -> dict[str, Any]:
        return {**asdict(self), "is_sample": self.is_sample}


def failure_matrix(flow: CompiledFlow, *, play: bool = True) -> Matrix:
    """Every task in turn; of a flow too large for that an even sample, the first and the last task among it."""
    bare = _bare(flow)
    chosen = _sample(list(bare.tasks), MOST_STARTS // (2 * len(bare.tasks))) if play else []
    return Matrix(
        tasks=len(flow.tasks),
        played=len(chosen),
        no_undo=_without_undo(flow),
        no_key=[spec.id for spec in flow.specs.values() if _may_repeat(spec) and not _tells_repeats(spec)],
        drills=[_play(bare, task_id, outcome) for task_id in chosen for outcome in ("failed", "unknown")],
    )


def _sample(ids: Sequence[str], most: int) -> list[str]:
    if len(ids) <= most:
        return list(ids)
    if most < 2:
        return []
    return [ids[round(index * (len(ids) - 1) / (most - 1))] for index in range(most)]


def _without_undo(flow: CompiledFlow) -> list[str]:
    """Tasks that say no undo although the failure of another, or the deadline, would have them undone.

    What must have ended well before a task starts cannot fail after it; by `any` and by number it may still run,
    and fail.
    """
    edges = {task.id: task.depends_on if task.join == "all" else () for task in flow.tasks.values()}
    order = topological_order(edges)
    above = Ancestors(edges, order)
    tasks = [flow.tasks[task_id] for task_id in reversed(order)]  # what comes last is before nothing: found at once
    undoing = [task.id for task in tasks if task.on_failure is OnFailure.COMPENSATE and not task.optional]
    by_time = flow.on_failure is OnFailure.COMPENSATE and flow.timeout_seconds is not None
    return [
        task.id
        for task in flow.tasks.values()
        if task.undo is None
        and (by_time or any(other != task.id and not above.includes(task.id, other) for other in undoing))
    ]


def _may_repeat(spec: CompiledTask) -> bool:
    """Whether the rules alone may call it twice. A check asks and changes nothing."""
    if spec.kind is Kind.CHECK:
        return False
    blindly = spec.on_unknown is OnUnknown.RETRY and spec.retry.strategy is not Strategy.NO_RETRY
    return spec.retry.most_retries > 0 and (spec.retry.strategy is Strategy.AUTO or blindly)


def _tells_repeats(spec: CompiledTask) -> bool:
    type_ = executor_types().get(spec.type)
    return type_ is None or type_.idempotent


def _bare(flow: CompiledFlow) -> CompiledFlow:
    """The flow without what reads values: its shape, its rules, and nothing that an empty answer could break."""
    nothing: dict[str, Any] = dict.fromkeys(
        ("output", "when", "success_when", "unknown_when", "failed_when", "error_code", "error_message")
    )
    nothing |= {"config": _EMPTY, "input": {}, "input_from": {}, "fields": (), "idempotency_key": None}

    def bare(task: CompiledTask) -> CompiledTask:
        errands = {name: bare(part) for name in ("check", "undo") if (part := getattr(task, name)) is not None}
        return replace(task, **{**nothing, **errands})

    tasks = {task_id: bare(task) for task_id, task in flow.tasks.items()}
    return CompiledFlow(
        name=flow.name,
        tasks=tasks,
        dependents=flow.dependents,
        on_failure=flow.on_failure,
        max_parallel=flow.max_parallel,
    )


class _Play:
    """One instance, driven to its rest."""

    def __init__(self, flow: CompiledFlow, drill: Drill) -> None:
        self.drill = drill
        self.now = _EPOCH
        self.tries: dict[str, int] = {}
        self.state: InstanceState = core.load_state(
            flow=flow, tasks={}, id="drill", flow_id="", version_number=0, status=InstanceStatus.PENDING, params={},
            created_at=_EPOCH,
        )  # fmt: skip

    def run(self) -> None:
        self._step(Claimed(open_attempts=()))
        while True:
            if ready := core.startable(self.state):
                self._wave(self._step(Start(task_ids=ready, worker="drill")))
            elif (at := core.next_tick(self.state)) is not None and self.state.status in _MOVING:
                self.now = max(at, self.now)
                self._step(Tick())
            else:
                return

    def _wave(self, calls: Sequence[PlannedCall]) -> None:
        undone = [self.state.flow.specs[call.task_id] for call in calls]
        names = [spec.of for spec in undone if spec.kind is Kind.UNDO]
        if names:
            self.drill.undone.append(names)
        # The one that goes wrong ends last: then there is most to undo.
        for call in sorted(calls, key=lambda call: call.task_id == self.drill.task_id):
            self.tries[call.task_id] = self.tries.get(call.task_id, 0) + 1
            ended = Ended(task_id=call.task_id, attempt=call.attempt, outcome=self._outcome(call), duration_ms=1.0)
            self._step(ended)

    def _outcome(self, call: PlannedCall) -> Outcome:
        spec = self.state.flow.specs[call.task_id]
        if call.task_id != self.drill.task_id and spec.kind is not Kind.CHECK:
            return Result(value={})
        if self.drill.outcome == "failed" or self.tries[call.task_id] > MOST_TRIES:
            return _FAILED
        return _UNKNOWN  # its check does not find out either

    def _step(self, event: Event) -> Sequence[PlannedCall]:
        self.now += timedelta(milliseconds=1)
        rng = random.Random(0)  # noqa: S311  spreads retries, guards nothing
        return core.step(self.state, event, now=self.now, rng=rng, port=failure_port()).calls


_MOVING: Final = (InstanceStatus.RUNNING, InstanceStatus.COMPENSATING)


def _play(flow: CompiledFlow, task_id: str, outcome: str) -> Drill:
    drill = Drill(task_id=task_id, outcome=outcome)
    play = _Play(flow, drill)
    play.run()
    state = play.state
    ended = (TaskStatus.SUCCESS, TaskStatus.COMPENSATED)
    undone = {name for step in drill.undone for name in step}
    drill.ran = [name for name in flow.tasks if name in state.tasks and state.tasks[name].status in ended]
    if undone or state.status is InstanceStatus.COMPENSATED:
        drill.nothing_to_undo = [name for name in drill.ran if name not in undone]
    drill.repeated = [
        name for name, tries in play.tries.items()
        if tries > 1 and flow.specs[name].kind is not Kind.CHECK and not _tells_repeats(flow.specs[name])
    ]  # fmt: skip
    drill.status, drill.closed = str(state.status), state.closed
    drill.waits_for = "person" if state.needs_attention else ""
    return drill


def plain_matrix(flow: CompiledFlow, play: bool) -> dict[str, Any]:
    return failure_matrix(flow, play=play).as_dict()
