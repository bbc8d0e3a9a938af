"""A driver as architecture 4.3-4.7 describes it, in virtual time, on a machine where everything may go wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from execution.domain.outcome import Outcome
from execution.engine import core
from execution.engine.events import Abandon, Acts, Claimed, Ended, Event, Park, Start, Tick
from execution.engine.state import InstanceState, PlannedCall, Unit
from execution.stores.base import Claim, Loaded, RecordRefused
from tests.simulation.target import LOST, UNSENT

if TYPE_CHECKING:
    from tests.simulation.world import World

LEASE = 6.0
LEAST_LEASE = 0.5  # a call leaves only with more than this left
CALL_TIMEOUT = 5.0


@dataclass(slots=True, eq=False)
class Held:
    """An instance this driver believes to own."""

    state: InstanceState
    deadline: float
    released: bool = False
    dropped: bool = False
    tick_at: float = 0.0
    using: set[tuple[str, int]] = field(default_factory=set)  # slots: one for every attempt begun and not ended


@dataclass(slots=True, eq=False)
class Entry:
    held: Held
    unit: Unit
    calls: list[PlannedCall] = field(default_factory=list)


class Driver:
    def __init__(self, world: World, name: str) -> None:
        self.world = world
        self.name = name
        self.held: dict[str, Held] = {}
        self.pending: dict[str, Entry] = {}
        self.queue: list[list[Entry]] = []  # groups still to be written, halves of a refused one
        self.busy = False
        self.healthy = True
        self.capacity = world.rng.randint(1, 4)
        self.alive = True
        self.draining = False
        self.frozen_until = 0.0
        self.later(world.rng.random(), self.poll)
        self.later(LEASE / 3, self.renew)
        self.later(1.0, self.watch_inboxes)

    def later(self, delay: float, act: Callable[..., None], *args: Any) -> None:
        self.world.at(delay, self._run, act, args)

    def _run(self, act: Callable[..., None], args: tuple[Any, ...]) -> None:
        if not self.alive:
            return
        if self.frozen_until > self.world.time:
            self.world.at(self.frozen_until - self.world.time, self._run, act, args)
            return
        act(*args)

    def die(self, why: str) -> None:
        self.alive = False
        self.world.note(self.name, "dies", why)
        self.world.at(self.world.rng.uniform(0.5, 3), self.world.new_driver)

    def freeze(self, seconds: float) -> None:
        self.world.note(self.name, "freezes", seconds)
        self.frozen_until = self.world.time + seconds

    # Claims and leases

    def poll(self) -> None:
        world = self.world
        if self.draining:
            return
        if self.healthy:
            deadline = world.time + LEASE
            claims = world.store.claim(
                self.name, limit=4, struck_limit=2, lease=timedelta(seconds=LEASE), now=world.now()
            )
            if claims:
                world.note(self.name, "claims", [(claim.instance_id, claim.fence, claim.strikes) for claim in claims])
            for loaded in world.store.load(claims):
                self.take(loaded, deadline)
                if not self.alive:
                    return
        self.later(world.idle_for(), self.poll)

    def take(self, loaded: Loaded, deadline: float) -> None:
        state = loaded.state
        if state.id in self.held:
            self.drop(self.held[state.id])  # its own lease ran out while it slept: that life of the instance is over
        held = self.held[state.id] = Held(state, deadline)
        events: list[Event] = [Claimed(open_attempts=loaded.open_attempts)]
        if state.inbox:
            acts = self.world.store.open_actions([state.id]).get(state.id, ())
            events += [Acts(acts=acts, inbox=state.inbox)] if acts else []
        self.advance(held, *events)

    def renew(self) -> None:
        world = self.world
        if self.held and not world.fails(0.1):
            deadline = world.time + LEASE
            fences = {instance_id: held.state.fence for instance_id, held in self.held.items()}
            lost = world.store.renew(self.name, fences, lease=timedelta(seconds=LEASE), now=world.now())
            for instance_id, held in list(self.held.items()):
                if instance_id not in lost:
                    held.deadline = deadline
                elif not held.released:
                    world.note(self.name, "lost", instance_id)
                    self.drop(held)
        self.later(LEASE / 3, self.renew)

    def drop(self, held: Held) -> None:
        held.dropped = True
        if self.held.get(held.state.id) is held:
            del self.held[held.state.id]
        entry = self.pending.get(held.state.id)
        if entry is not None and entry.held is held:
            del self.pending[held.state.id]

    def watch_inboxes(self) -> None:
        world = self.world
        mine = {instance_id: held for instance_id, held in self.held.items() if not held.released}
        for instance_id, inbox in world.store.inboxes(mine).items():
            if inbox > mine[instance_id].state.inbox:
                acts = world.store.open_actions([instance_id]).get(instance_id, ())
                self.advance(mine[instance_id], Acts(acts=acts, inbox=inbox))
        self.later(world.rng.choice([0.05, 0.3, 1.0]), self.watch_inboxes)

    # Steps

    def advance(self, held: Held, *events: Event) -> bool:
        """Feed the core and submit what it says; False: nothing came of it."""
        unit: Unit | None = None
        calls: list[PlannedCall] = []
        for event in events:
            unit = self._step(held, event, unit, calls)
        if held.state.id in self.world.poison_claim and core.startable(held.state):
            self.die(f"of {held.state.id}")
            return True
        if unit is None or not unit.release:
            unit = self._start(held, unit, calls)
        if unit is None:
            return False
        held.released = unit.release
        self._submit(Entry(held, unit, calls))
        self._watch_time(held)
        return True

    def _step(self, held: Held, event: Event, unit: Unit | None, calls: list[PlannedCall]) -> Unit | None:
        world = self.world
        effects = core.step(held.state, event, now=world.now(), rng=world.rng, port=world.port)
        world.note(self.name, "step", held.state.id, event, held.state.status)
        calls += effects.calls
        if effects.unit is None:
            return unit
        return effects.unit if unit is None else core.fold(unit, effects.unit)

    def _start(self, held: Held, unit: Unit | None, calls: list[PlannedCall]) -> Unit | None:
        ready = core.startable(held.state)
        if not ready or self.draining:
            return unit
        grants = ready[: max(0, self.capacity - sum(len(other.using) for other in self.held.values()))]
        if not grants or self.world.fails(0.1):
            self.later(0.3, self._go_on, held)
            return unit
        before = len(calls)
        unit = self._step(held, Start(task_ids=grants, worker=self.name), unit, calls)
        held.using.update((call.task_id, call.attempt) for call in calls[before:])
        return unit

    def _go_on(self, held: Held) -> None:
        if not held.released and not held.dropped and core.startable(held.state):
            self.advance(held)

    def _watch_time(self, held: Held) -> None:
        at = core.next_tick(held.state)
        if at is None or held.released:
            return
        due = max(0.0, (at - self.world.now()).total_seconds())
        if held.tick_at <= self.world.time or self.world.time + due < held.tick_at:
            held.tick_at = self.world.time + due
            self.later(due, self._tick, held)

    def _tick(self, held: Held) -> None:
        if not held.released and not held.dropped:
            self.advance(held, Tick())
            self._watch_time(held)

    # The journal

    def _submit(self, entry: Entry) -> None:
        held = entry.held
        if "call_before_commit" in self.world.bugs:
            self._leave(held, entry.calls)
            entry.calls = []
        before = self.pending.get(held.state.id)
        if before is not None and before.held is held:
            before.unit = core.fold(before.unit, entry.unit)
            before.calls += entry.calls
        else:
            self.pending[held.state.id] = entry
        if not self.busy:
            self.later(0.001, self._flush)

    def _flush(self) -> None:
        if self.busy or not self.pending:
            return
        ids = sorted(self.pending)
        if self.world.fails(0.2):
            ids = ids[: self.world.rng.randint(1, len(ids))]
        self.busy = True
        self.queue = [[self.pending.pop(instance_id) for instance_id in ids]]
        self.later(0.005, self._send)

    def _send(self) -> None:
        """The group leaves; from here on the database may take it whatever becomes of this process."""
        group = [entry for entry in self.queue[0] if not entry.held.dropped]
        fault = self.world.commit_fault()
        self.world.at(self.world.latency(), self._reach_store, group, fault)

    def _reach_store(self, group: list[Entry], fault: str) -> None:
        world = self.world
        lost: set[str] = set()
        result = "done"
        if fault in ("fails", "fails unseen"):
            result = fault
        else:
            try:
                lost = world.store.apply(
                    [entry.unit for entry in group], by=self.name, now=world.now(), refuses=world.refuses
                )
                result = "done" if fault == "" else "done unseen"
            except RecordRefused:
                result = "refused"
        world.note(self.name, "commit", result, [(e.unit.instance_id, e.unit.fence, e.unit.rev) for e in group], lost)
        self.later(world.latency(), self._answered, group, result, lost)

    def _answered(self, group: list[Entry], result: str, lost: set[str]) -> None:
        self.healthy = result in ("done", "refused")
        if result == "fails":
            self.later(0.2, self._send)
        elif result in ("done unseen", "fails unseen"):
            if "lost_answer_means_committed" in self.world.bugs:
                self._settle(group, set())
            else:
                self.later(0.2, self._read_back, group)
        elif result == "refused":
            self._refused(group)
        else:
            self._settle(group, lost)

    def _read_back(self, group: list[Entry]) -> None:
        """Did it commit? The position says new, old, or somebody else's."""
        self.healthy = True
        positions = self.world.store.positions(entry.unit.instance_id for entry in group)
        old = [e for e in group if positions[e.unit.instance_id] == (e.unit.fence, e.unit.base_rev)]
        new = [e for e in group if positions[e.unit.instance_id] == (e.unit.fence, e.unit.rev)]
        lost = {e.unit.instance_id for e in group if e not in old and e not in new}
        if old:
            self.queue.insert(1, old)
        self._settle([entry for entry in group if entry not in old], lost)

    def _refused(self, group: list[Entry]) -> None:
        if len(group) > 1:
            middle = len(group) // 2
            self.queue[1:1] = [group[:middle], group[middle:]]
            self._next()
            return
        held = group[0].held
        self.drop(held)
        self._next()
        claim = Claim(instance_id=held.state.id, fence=held.state.fence, strikes=held.state.strikes)
        for loaded in self.world.store.load([claim]):
            again = self.held[claim.instance_id] = Held(loaded.state, held.deadline)
            self.advance(again, Park(code="RECORD_REFUSED", message="refused", open_attempts=loaded.open_attempts))

    def _settle(self, group: list[Entry], lost: set[str]) -> None:
        for entry in group:
            if entry.unit.instance_id in lost:
                self.drop(entry.held)
            elif not entry.held.dropped:
                self._leave(entry.held, entry.calls)
                if entry.unit.release and self.alive:
                    self.drop(entry.held)
        self._next()

    def _next(self) -> None:
        self.queue.pop(0)
        if self.queue:
            self.later(0.005, self._send)
            return
        self.busy = False
        if self.pending:
            self.later(0.001, self._flush)
        elif self.draining and not self.held:
            self.die("drained")

    # Calls

    def _leave(self, held: Held, calls: list[PlannedCall]) -> None:
        for call in calls:
            task = held.state.tasks[call.task_id]
            if task.open_attempt != call.attempt:
                held.using.discard((call.task_id, call.attempt))  # it was given up before it could leave
                continue
            if held.state.id in self.world.poison_call:
                self.die(f"of a call of {held.state.id}")
                return
            if self.world.time > held.deadline - LEAST_LEASE or self.world.fails(0.03):
                self.later(0.01, self._ended, held, call, UNSENT)
                continue
            self.world.at(self.world.rng.uniform(0.001, 0.1), self._reach_target, held, call)

    def _reach_target(self, held: Held, call: PlannedCall) -> None:
        outcome, delay = self.world.target.receive(held.state.id, call)
        if delay > CALL_TIMEOUT:
            self.later(CALL_TIMEOUT, self._ended, held, call, LOST)
            if delay < 1000:
                self.later(delay, self._came_late, held, call)
            return
        self.later(delay, self._ended, held, call, self.world.spoilt(held.state.id, outcome))
        if self.world.fails(0.02):
            self.later(delay, self._ended, held, call, outcome)  # told twice

    def _ended(self, held: Held, call: PlannedCall, outcome: Outcome) -> None:
        task = held.state.tasks[call.task_id]
        if held.dropped or held.released or task.open_attempt != call.attempt:
            held.using.discard((call.task_id, call.attempt))
            self._came_late(held, call)
            return
        held.using.discard((call.task_id, call.attempt))
        self.advance(
            held, Ended(task_id=call.task_id, attempt=call.attempt, outcome=outcome, duration_ms=self.world.time)
        )
        for other in list(self.held.values()):
            if self.alive:
                self._go_on(other)

    def _came_late(self, held: Held, call: PlannedCall) -> None:
        row = self.world.store.rows[held.state.id].attempts.get((call.task_id, call.attempt))
        if row is not None:
            self.world.store.keep_stale(row)

    def drain(self) -> None:
        """An orderly end: calls get a moment, then they are given up."""
        self.world.note(self.name, "drains")
        self.draining = True
        self.later(1.0, self._give_up)

    def _give_up(self) -> None:
        for held in list(self.held.values()):
            if not held.released:
                self.advance(held, Abandon())
        if not self.held:
            self.die("drained")
