"""Events into the core and starts out of it, as one unit: what a driver does with one instance at one moment."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from disttask_project.kernel.clock import Clock
from execution.engine import core
from execution.engine.events import Abandon, Event, Start
from execution.engine.gates import Admission
from execution.engine.owned import Owned
from execution.engine.port import FailurePort
from execution.engine.slots import Slots
from execution.engine.state import PlannedCall, Unit
from execution.engine.targets import Targets


@dataclass(slots=True)
class Grants:
    """What may start now; who waits in a line, and who is not to wait for: a task and its target."""

    tasks: dict[str, tuple[str, str]] = field(default_factory=dict)  # task -> its type and target
    waits: bool = False
    parked: tuple[str, str] | None = None


class Steps:
    """`may_start` asks the session about a call's timeout; `free` gives a slot and a place at a target back."""

    def __init__(
        self,
        *,
        owner: str,
        clock: Clock,
        port: FailurePort,
        rng: random.Random,
        slots: Slots,
        targets: Targets,
        may_start: Callable[[float], bool],
        free: Callable[[str, str], None],
    ) -> None:
        self.closing = False  # nothing starts any more
        self.has_outstayed = False  # a call could not start any more: it might not end before the host ends us
        self._owner = owner
        self._clock = clock
        self._port = port
        self._rng = rng
        self._slots = slots
        self._targets = targets
        self._may_start = may_start
        self._free = free

    def perform(
        self, owned: Owned, events: Sequence[Event], calls: list[PlannedCall], *, favoured: str = "", turn: str = ""
    ) -> Unit | None:
        """Feed the events, then start what has become startable. Calls are added to `calls`, also before an error.

        One call of the type `favoured` need not stand in line for a slot, one to the target `turn` not for that.
        """
        unit: Unit | None = None
        for event in events:
            unit = self._step(owned, event, unit, calls)
        return self._start(owned, unit, calls, favoured, turn)

    def _step(self, owned: Owned, event: Event, unit: Unit | None, calls: list[PlannedCall]) -> Unit | None:
        effects = core.step(owned.state, event, now=self._clock.now(), rng=self._rng, port=self._port)
        calls += effects.calls
        if effects.unit is None:
            return unit
        return effects.unit if unit is None else core.fold(unit, effects.unit)

    def _start(
        self, owned: Owned, unit: Unit | None, calls: list[PlannedCall], favoured: str, turn: str
    ) -> Unit | None:
        """Take slots for what may start. A start that fails at once (its input) may make others startable."""
        while unit is None or not unit.release:
            if self.closing:
                return unit if owned.state.in_flight else self._step(owned, Abandon(), unit, calls)
            grants = self._granted(owned, favoured, turn)
            favoured = turn = ""
            if not grants.tasks:
                return self._give_back(owned, unit, calls, grants)
            begun = len(calls)
            unit = self._step(owned, Start(task_ids=list(grants.tasks), worker=self._owner), unit, calls)
            self._count(calls, begun, grants)
        return unit

    def _give_back(self, owned: Owned, unit: Unit | None, calls: list[PlannedCall], grants: Grants) -> Unit | None:
        """An instance all of whose work waits for targets that will not take it soon holds no place in memory."""
        if grants.parked is None or grants.waits or owned.state.in_flight:
            return unit
        task_id, target = grants.parked
        return self._step(owned, self._targets.defer(target, task_id), unit, calls)

    def _granted(self, owned: Owned, favoured: str, turn: str) -> Grants:
        """The startable tasks that got a slot, and passed their target's gate where any target has one."""
        grants = Grants()
        specs = owned.state.flow.specs
        acts = self._targets.acts
        room = core.room(owned.state)
        # Where a gate may refuse one task, the next in line may have its place under `max_parallel`.
        for task_id in core.waiting(owned.state) if acts else core.startable(owned.state):
            if room is not None and len(grants.tasks) >= room:
                break
            spec = specs[task_id]
            if not self._may_start(spec.timeout_seconds):
                self.has_outstayed = True
                continue
            target = ""
            if acts:
                said, target = self._targets.admit(owned, task_id, turn=turn)
                if said is not Admission.GO:
                    grants.waits = grants.waits or said is Admission.WAIT
                    grants.parked = grants.parked or ((task_id, target) if said is Admission.PARK else None)
                    continue
            if self._slots.take(spec.type, owned.id, flow_id=owned.flow_id, favoured=spec.type == favoured):
                grants.tasks[task_id] = (spec.type, target)
                favoured = "" if spec.type == favoured else favoured
            else:
                grants.waits = True
                self._targets.freed(target)
        return grants

    def _count(self, calls: list[PlannedCall], begun: int, grants: Grants) -> None:
        """Each call knows its target; what was taken for a task that made no call is given back."""
        left = dict(grants.tasks)
        for index in range(begun, len(calls)):
            call = calls[index]
            _type, admitted = left.pop(call.task_id)
            target = self._targets.of_call(call.type, call.config)
            if target:
                calls[index] = replace(call, target=target)
            if target != admitted:
                self._targets.begin(target)
                self._targets.freed(admitted)
        for type_, admitted in left.values():
            self._free(type_, admitted)
