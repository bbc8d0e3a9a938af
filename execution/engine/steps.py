"""Events into the core and starts out of it, as one unit: what a driver does with one instance at one moment."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from disttask_project.kernel.clock import Clock
from execution.engine import core
from execution.engine.events import Abandon, Event, Start
from execution.engine.owned import Owned
from execution.engine.port import FailurePort
from execution.engine.slots import Slots
from execution.engine.state import PlannedCall, Unit


class Steps:
    """`may_start` asks the session about a call's timeout; `free` gives a slot back."""

    def __init__(
        self,
        *,
        owner: str,
        clock: Clock,
        port: FailurePort,
        rng: random.Random,
        slots: Slots,
        may_start: Callable[[float], bool],
        free: Callable[[str], None],
    ) -> None:
        self.closing = False  # nothing starts any more
        self.has_outstayed = False  # a call could not start any more: it might not end before the host ends us
        self._owner = owner
        self._clock = clock
        self._port = port
        self._rng = rng
        self._slots = slots
        self._may_start = may_start
        self._free = free

    def perform(
        self, owned: Owned, events: Sequence[Event], calls: list[PlannedCall], *, favoured: str = ""
    ) -> Unit | None:
        """Feed the events, then start what has become startable. Calls are added to `calls`, also before an error."""
        unit: Unit | None = None
        for event in events:
            unit = self._step(owned, event, unit, calls)
        return self._start(owned, unit, calls, favoured)

    def _step(self, owned: Owned, event: Event, unit: Unit | None, calls: list[PlannedCall]) -> Unit | None:
        effects = core.step(owned.state, event, now=self._clock.now(), rng=self._rng, port=self._port)
        calls += effects.calls
        if effects.unit is None:
            return unit
        return effects.unit if unit is None else core.fold(unit, effects.unit)

    def _start(self, owned: Owned, unit: Unit | None, calls: list[PlannedCall], favoured: str) -> Unit | None:
        """Take slots for what may start. A start that fails at once (its input) may make others startable."""
        while unit is None or not unit.release:
            if self.closing:
                return unit if owned.state.in_flight else self._step(owned, Abandon(), unit, calls)
            tasks = self._granted(owned, favoured)
            favoured = ""
            if not tasks:
                return unit
            begun = len(calls)
            unit = self._step(owned, Start(task_ids=list(tasks), worker=self._owner), unit, calls)
            called = {call.task_id for call in calls[begun:]}
            for task_id, type_ in tasks.items():
                if task_id not in called:
                    self._free(type_)
        return unit

    def _granted(self, owned: Owned, favoured: str) -> dict[str, str]:
        """The startable tasks that got a slot, with their types. One of the type `favoured` need not stand in line."""
        granted: dict[str, str] = {}
        specs = owned.state.flow.specs
        for task_id in core.startable(owned.state):
            spec = specs[task_id]
            if not self._may_start(spec.timeout_seconds):
                self.has_outstayed = True
                continue
            if self._slots.take(spec.type, owned.id, flow_id=owned.flow_id, favoured=spec.type == favoured):
                granted[task_id] = spec.type
                favoured = "" if spec.type == favoured else favoured
        return granted
