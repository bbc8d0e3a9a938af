"""A driver as architecture 4.3-4.7 describes it, in virtual time, on a machine where everything may go wrong."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from execution.domain.outcome import Outcome
from execution.engine import core
from execution.engine.events import Abandon, Acts, Claimed, Defer, Ended, Event, Park, Start, Tick
from execution.engine.state import PlannedCall, Unit
from execution.stores.base import Claim, Loaded
from tests.simulation.journal import Entry, Held, Journal
from tests.simulation.target import LOST, UNSENT

if TYPE_CHECKING:
    from tests.simulation.world import World

LEASE = 6.0
LEAST_LEASE = 0.5  # a call leaves only with more than this left
CALL_TIMEOUT = 5.0


class Driver:
    def __init__(self, world: World, name: str) -> None:
        self.world = world
        self.name = name
        self.held: dict[str, Held] = {}
        self.journal = Journal(self)
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
        if not self.alive:
            return
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
        if self.journal.healthy:
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
        self.journal.forget(held)

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
        if "call_before_commit" in self.world.bugs:
            self._leave(held, calls)
            calls = []
        self.journal.submit(Entry(held, unit, calls))
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
        if self.world.seed % 10 == 9 and not held.state.in_flight and self.world.fails(0.05):
            # Its target takes nothing for now: the row is given back, and no attempt is spent.
            until = self.world.now() + timedelta(seconds=self.world.rng.choice([0.1, 3.0]))
            return self._step(held, Defer(target="t", task_id=ready[0], code="limit", until=until), unit, calls)
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

    # What the journal tells

    def committed(self, entry: Entry) -> None:
        self._leave(entry.held, entry.calls)
        if entry.unit.release and self.alive:
            self.drop(entry.held)

    def park(self, held: Held) -> None:
        """The store refuses what this instance has to write: what it still has is parked."""
        claim = Claim(instance_id=held.state.id, fence=held.state.fence, strikes=held.state.strikes)
        for loaded in self.world.store.load([claim]):
            again = self.held[claim.instance_id] = Held(loaded.state, held.deadline)
            self.advance(again, Park(code="RECORD_REFUSED", message="refused", open_attempts=loaded.open_attempts))

    def written(self) -> None:
        if self.draining and not self.held:
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
