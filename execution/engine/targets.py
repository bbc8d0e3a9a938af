"""The targets of a driver: which call may go to which, counted on the loop; the steward's thread asks the store."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from disttask_project.kernel.clock import Clock
from execution.domain.health import is_target_error
from execution.domain.outcome import Outcome
from execution.engine import attempts
from execution.engine.events import Defer
from execution.engine.gates import Admission, Gate, Rule
from execution.engine.owned import Owned
from execution.engine.steward import Demand, Steward, Update
from execution.engine.target_settings import TargetSettings
from execution.executors.base import Executor, target_of
from execution.stores.base import Store

LOOK_BUSY: Final = 0.25  # while somebody waits for a target, or work comes back by a ramp
LOOK_IDLE: Final = 1.0
STARVED: Final = 2.0  # seconds without a permit after which those in line are given back: others may have permits
MOST_GATES: Final = 5_000
MOST_ADDRESSES: Final = 50_000


class Targets:
    """All methods run on the driver's loop. `acts` False: nothing is limited, every call may go."""

    def __init__(
        self,
        *,
        store: Store,
        executors: Mapping[str, Executor],
        settings: TargetSettings,
        owner: str,
        lease: float,
        clock: Clock,
        waiting_most: int,
    ) -> None:
        self.acts = bool(settings.limits)
        self._executors = executors
        self._settings = settings
        self._clock = clock
        self._waiting_most = waiting_most
        self._loop = asyncio.get_running_loop()
        self._gates: dict[str, Gate] = {}
        self._addresses: dict[tuple[str, int, str], str | None] = {}  # of tasks; None: known only once it is bound
        self._places: dict[str, set[Gate]] = {}  # instance -> where it waits or is to be asked again
        self._poke: Callable[[str, str], None] = lambda _instance_id, _turn: None
        self._timer: asyncio.TimerHandle | None = None
        self._asking = self._stopping = False
        self._looked_at = time.monotonic()
        self._first = asyncio.Event()
        self._steward = Steward(store, settings, owner=owner, lease=lease, clock=clock, tell=self._hear)

    def join(self, poke: Callable[[str, str], None]) -> None:
        """`poke(instance, turn)`: try to start what it has; `turn` names the target whose line it may pass."""
        self._poke = poke

    async def start(self) -> None:
        """Returns once the store has told what holds, or has had its time to."""
        self._steward.start()
        self._look()
        try:
            await asyncio.wait_for(self._first.wait(), 2)
        except TimeoutError:
            return  # the store is away; so are the claims

    def close(self) -> None:
        """No more looks; `stop` ends the thread."""
        self._stopping = True
        if self._timer is not None:
            self._timer.cancel()

    def stop(self) -> None:
        self._steward.stop()

    # Calls

    def of_call(self, type_: str, config: Mapping[str, object]) -> str:
        """The target of a bound config; empty where the type names none."""
        executor = self._executors.get(type_)
        return target_of(executor, config) if executor is not None else ""

    def admit(self, owned: Owned, task_id: str, *, turn: str) -> tuple[Admission, str]:
        """Whether a task's call may start now, and its target. GO counts it as in flight."""
        target = self._of_task(owned, task_id)
        if not target:
            return Admission.GO, ""
        gate = self._gate(target)
        monotonic = time.monotonic()
        said = gate.look(
            now=self._clock.now(), monotonic=monotonic, policy=self._settings.policy, in_turn=turn == target
        )
        if said is Admission.GO:
            gate.take()
            return said, target
        if said is Admission.WAIT and self._may_wait(gate, monotonic):
            gate.line.add(owned.id, owned.flow_id)
            self._hurry()
        else:
            said = Admission.PARK
            gate.watchers.add(owned.id)
        self._places.setdefault(owned.id, set()).add(gate)
        return said, target

    def _may_wait(self, gate: Gate, monotonic: float) -> bool:
        """Whether it is worth a place in memory."""
        if gate.starved_since is not None and monotonic - gate.starved_since >= STARVED:
            return False
        return len(gate.line) < gate.line_most and len(self._places) < self._waiting_most

    def defer(self, target: str, task_id: str) -> Defer:
        """What gives back an instance whose only work is parked."""
        gate = self._gates[target]
        now = self._clock.now()
        is_open = gate.rule is not None and gate.rule.breaker.may_pass(now, self._settings.policy) is not None
        until = gate.park_until(now=now, monotonic=time.monotonic(), is_open=is_open)
        return Defer(target=target, task_id=task_id, code="breaker" if is_open else "limit", until=until)

    def begin(self, target: str) -> None:
        """A call that nobody had to admit."""
        if target:
            self._gate(target).in_flight += 1

    def freed(self, target: str) -> None:
        """A call has truly ended, or never left."""
        gate = self._gates.get(target)
        if gate is None:
            return
        gate.in_flight -= 1
        if gate.line:
            self._loop.call_soon(self._offer, gate)

    def ended(self, target: str, outcome: Outcome, duration_ms: float) -> None:
        """How the target answered."""
        gate = self._gates.get(target)
        if gate is None:
            return
        gate.done += 1
        now = self._clock.now().timestamp()
        changed = gate.rule.breaker.changed_at if gate.rule is not None else None
        if changed is not None and now - duration_ms / 1000 < changed.timestamp():
            return  # it began before the breaker changed: it says nothing about now
        gate.window.add(now, is_error=is_target_error(outcome), ms=duration_ms)
        gate.dirty = True

    def forget(self, owned: Owned) -> None:
        """It is held no longer."""
        for gate in self._places.pop(owned.id, ()):
            gate.line.drop(owned.id, owned.flow_id)
            gate.watchers.discard(owned.id)

    # Which target

    def _of_task(self, owned: Owned, task_id: str) -> str:
        state = owned.state
        spec = state.flow.specs[task_id]
        key = (state.flow_id, state.version_number, task_id)
        known = self._addresses.get(key, "?")
        if known == "?":
            if len(self._addresses) >= MOST_ADDRESSES:
                self._addresses.clear()
            known = self.of_call(spec.type, spec.config.render({})) if spec.config.is_constant else None
            self._addresses[key] = known
        task = state.tasks.get(task_id)
        if known is not None and (task is None or not task.override):
            return known
        config = attempts.config_ahead(state, task_id)
        return "" if config is None else self.of_call(spec.type, config)

    def _gate(self, target: str) -> Gate:
        gate = self._gates.get(target)
        if gate is None:
            gate = self._gates[target] = Gate(target, window=self._settings.policy.window)
            limits = self._settings.limits.get(target)
            if limits is not None:
                gate.rule = Rule(concurrency=limits[0], rate=limits[1])
        return gate

    # Lines

    def _offer(self, gate: Gate) -> None:
        """Whoever is first in line and may pass is asked to start."""
        while gate.line:
            said = gate.look(
                now=self._clock.now(), monotonic=time.monotonic(), policy=self._settings.policy, in_turn=True
            )
            if said is not Admission.GO:
                break
            first = gate.line.pop()
            if first is not None:
                self._poke(first, gate.id)
        if gate.line and gate.moments:
            self._loop.call_later(max(0.001, gate.moments[0] - time.monotonic()), self._offer, gate)

    def _ask_again(self, gate: Gate) -> None:
        """Its rule has changed: everybody who waits hears what it says now."""
        ids = list(gate.watchers)
        while (first := gate.line.pop()) is not None:
            ids.append(first)
        gate.watchers.clear()
        for instance_id in ids:
            self._poke(instance_id, "")

    # The steward

    def _hurry(self) -> None:
        """Look soon: somebody has just begun to wait."""
        if not self._asking and self._timer is not None and not self._stopping:
            wait = max(0.0, self._looked_at + 0.05 - time.monotonic())
            if self._timer.when() - self._loop.time() > wait:
                self._timer.cancel()
                self._timer = self._loop.call_later(wait, self._look)

    def _look(self) -> None:
        self._asking = True
        elapsed = max(0.001, time.monotonic() - self._looked_at)
        self._looked_at = time.monotonic()
        self._forget_idle()
        self._steward.ask([self._demand(gate, elapsed) for gate in self._gates.values()])

    def _demand(self, gate: Gate, elapsed: float) -> Demand:
        now = self._clock.now().timestamp()
        gate.window.forget(now)
        gate.throughput += (gate.done / elapsed - gate.throughput) * min(1.0, elapsed)
        gate.done = 0
        tells = gate.dirty or gate.rule is not None
        gate.dirty = False
        return Demand(
            target_id=gate.id,
            window=gate.window.plain() if tells else None,
            errors=tells and any(bucket.errors for bucket in gate.window.buckets),
            in_flight=gate.in_flight,
            waiting=len(gate.line),
            moments=len(gate.moments),
            room=max(0, gate.line_most - len(gate.line)) if gate.starved_since is None else 0,
        )

    def _forget_idle(self) -> None:
        if len(self._gates) > MOST_GATES:
            busy = {key: gate for key, gate in self._gates.items() if gate.in_flight or gate.rule or gate.dirty}
            self._gates = busy

    def _hear(self, update: Update | None) -> None:
        """On the steward's thread."""
        try:
            self._loop.call_soon_threadsafe(self._apply, update)
        except RuntimeError:
            return  # the loop has ended

    def _apply(self, update: Update | None) -> None:
        self._asking = False
        self._first.set()
        changed: Sequence[Gate] = self._renewed(update) if update is not None else ()
        if not self._stopping:
            busy = any(gate.line or (gate.rule and gate.rule.breaker.opens) for gate in self._gates.values())
            pause = LOOK_BUSY if busy else LOOK_IDLE
            self._timer = self._loop.call_later(pause if update is not None else LOOK_IDLE, self._look)
        for gate in changed:
            self._ask_again(gate)
        for gate in list(self._gates.values()):
            if gate.line:
                self._offer(gate)

    def _renewed(self, update: Update) -> list[Gate]:
        """Take over rules and permits; gives the gates whose waiters must be asked again."""
        monotonic = time.monotonic()
        for target_id in update.rules:
            self._gate(target_id)
        changed = []
        for gate in self._gates.values():
            old, gate.rule = gate.rule, update.rules.get(gate.id)
            if old != gate.rule:
                changed.append(gate)
                gate.queue_at = 0.0
                gate.moments.clear()
                if _changed_at(old) != _changed_at(gate.rule):
                    gate.window.cut(self._clock.now().timestamp())
            granted = update.granted.get(gate.id)
            if granted is not None:
                offset = monotonic - self._clock.now().timestamp()
                gate.permits, gate.permits_until = granted.permits or 0, self._looked_at + self._steward.lease
                gate.moments.extend(at.timestamp() + offset for at in granted.times)
            starves = bool(gate.line) and gate.rule is not None and gate.rule.concurrency > 0 and not gate.permits
            gate.starved_since = (gate.starved_since or monotonic) if starves else None
            if gate.starved_since is not None and monotonic - gate.starved_since >= STARVED and gate not in changed:
                changed.append(gate)
        self.acts = bool(self._settings.limits) or any(gate.rule is not None for gate in self._gates.values())
        return changed


def _changed_at(rule: Rule | None) -> object:
    return None if rule is None else rule.breaker.changed_at
