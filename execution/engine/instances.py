"""The instances a driver holds: events into the core, units to the journal, calls out once they are committed."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial

import structlog

from disttask_project.kernel.clock import Clock
from disttask_project.kernel.messages import text
from execution.domain.outcome import Outcome
from execution.engine import core
from execution.engine.answers import OneCall, stale_row
from execution.engine.calls import Caller
from execution.engine.events import Abandon, Acts, Claimed, Ended, Event, Park, Tick
from execution.engine.journal import Fate, Journal
from execution.engine.leases import LeaseKeeper
from execution.engine.owned import Holdings, Owned
from execution.engine.port import FailurePort
from execution.engine.refused import RefusedRecords
from execution.engine.settings import EngineSettings
from execution.engine.slots import Slots
from execution.engine.state import Act, PlannedCall, Unit
from execution.engine.steps import Steps
from execution.engine.sweeper import Haul, Sweeper
from execution.engine.targets import Targets
from execution.executors.base import Call
from execution.stores.base import Claim, Loaded

log = structlog.get_logger(__name__)

LEASE_WAIT = 0.1  # a call that may not leave for want of lease looks again after this


class Instances:
    """All methods run on the driver's loop. `may_start` asks the session about a call's timeout."""

    def __init__(
        self,
        *,
        settings: EngineSettings,
        owner: str,
        clock: Clock,
        port: FailurePort,
        rng: random.Random,
        journal: Journal,
        leases: LeaseKeeper,
        sweeper: Sweeper,
        slots: Slots,
        targets: Targets,
        caller: Caller,
        may_start: Callable[[float], bool],
    ) -> None:
        self.owned = Holdings()
        self._settings = settings
        self._owner = owner
        self._clock = clock
        self._journal = journal
        self._leases = leases
        self._sweeper = sweeper
        self._slots = slots
        self._targets = targets
        self._caller = caller
        self._loop = asyncio.get_running_loop()
        self._steps = Steps(
            owner=owner,
            clock=clock,
            port=port,
            rng=rng,
            slots=slots,
            targets=targets,
            may_start=may_start,
            free=self._free,
        )
        self._refused = RefusedRecords(sweeper=sweeper, leases=leases, begin=self._begin)
        targets.join(self._poke)

    @property
    def has_outstayed(self) -> bool:
        """A call could not start any more: it might not end before the host ends us."""
        return self._steps.has_outstayed

    # What the driver hands in

    def take(self, haul: Haul) -> None:
        for claim in haul.claims:
            loaded = haul.loaded.get(claim.instance_id)
            if loaded is None:
                self._leases.forget(claim.instance_id, claim.fence)
                continue
            self._adopt(claim, loaded, haul.acts.get(claim.instance_id, ()))

    def feed(self, inboxes: Mapping[str, int], acts: Mapping[str, Sequence[Act]]) -> None:
        """Acts were asked of instances we hold."""
        for instance_id, inbox in inboxes.items():
            owned = self.owned.get(instance_id)
            if owned is not None and owned.is_live:
                self._feed(owned, acts.get(instance_id, ()), inbox)

    def lost(self, ids: Iterable[str]) -> None:
        for instance_id in ids:
            owned = self.owned.get(instance_id)
            # One that is being given back is nobody's by intent: its unit tells how that went.
            if owned is not None and not owned.released:
                log.warning("lease_lost", instance_id=owned.id, fence=owned.fence)
                self._drop(owned)

    def close(self) -> None:
        """Nothing starts any more; what has no call in flight is given back, the rest when its calls have ended."""
        self._steps.closing = True
        for owned in list(self.owned.values()):
            if owned.is_live and not owned.state.in_flight:
                self._event(owned, Abandon())

    def abandon_all(self) -> None:
        """Calls in flight are given up as `unknown`."""
        for owned in list(self.owned.values()):
            if owned.is_live:
                self._event(owned, Abandon())

    # Events

    def _adopt(self, claim: Claim, loaded: Loaded, acts: Sequence[Act]) -> None:
        before = self.owned.get(claim.instance_id)
        if before is not None:
            self._drop(before, keep_lease=True)
        owned = Owned(loaded.state, claim.fence, struck=claim.strikes > 0)
        self.owned.add(owned)
        if loaded.broken:
            message = text("It cannot be loaded: {reason}", reason=loaded.broken)
            self._event(owned, Park(code="UNLOADABLE", message=message, refuse=acts))  # what is open stays so
            return
        events: list[Event] = [Claimed(open_attempts=loaded.open_attempts)]
        if acts:
            owned.fed.update(act.action_id for act in acts)
            events.append(Acts(acts=acts, inbox=loaded.state.inbox))
        self._event(owned, *events)

    def _feed(self, owned: Owned, acts: Sequence[Act], inbox: int) -> None:
        new = [act for act in acts if act.action_id not in owned.fed]
        owned.fed.update(act.action_id for act in new)
        if new:
            self._event(owned, Acts(acts=new, inbox=inbox))
        else:
            owned.state.inbox = max(owned.state.inbox, inbox)

    def _poke(self, instance_id: str, turn: str) -> None:
        """Try to start what an instance has."""
        owned = self.owned.get(instance_id)
        if owned is not None and owned.is_live:
            self._event(owned, turn=turn)

    def _event(self, owned: Owned, *events: Event, favoured: str = "", turn: str = "") -> None:
        calls: list[PlannedCall] = []
        try:
            unit = self._steps.perform(owned, events, calls, favoured=favoured, turn=turn)
        except Exception:
            # A bug of ours in one instance: its lease runs out, and the third strike parks it.
            log.exception("step_failed", instance_id=owned.id)
            self._give_back(calls)
            self._drop(owned)
            return
        self._commit(owned, unit, calls)

    def _commit(self, owned: Owned, unit: Unit | None, calls: list[PlannedCall]) -> None:
        if unit is None:
            self._watch_time(owned)
            return
        if unit.release:
            owned.released = True
            owned.cancel_tick()
            self._forget(owned)
        else:
            self._watch_time(owned)
        self._journal.submit(unit, partial(self._settled, owned, unit.release, calls))

    def _settled(self, owned: Owned, released: bool, calls: Sequence[PlannedCall], fate: Fate) -> None:
        if owned.gone:
            self._give_back(calls)
            return
        if fate is Fate.COMMITTED:
            for call in calls:
                self._leave(owned, call)
            if released:
                self._drop(owned)
            return
        self._give_back(calls)
        if fate is Fate.LOST:
            log.warning("fence_lost", instance_id=owned.id, fence=owned.fence)
            self._drop(owned)
        else:
            self._drop(owned, keep_lease=True)
            self._refused.park(owned)

    def _begin(self, owned: Owned, event: Event) -> None:
        self.owned.add(owned)
        self._event(owned, event)

    # Calls

    def _leave(self, owned: Owned, planned: PlannedCall) -> None:
        task = owned.state.tasks.get(planned.task_id)
        if owned.gone or task is None or task.open_attempt != planned.attempt:
            self._call_freed(planned)
            return
        if not self._leases.may_call(owned.id, owned.fence):
            self._leases.hurry()
            self._loop.call_later(LEASE_WAIT, self._leave, owned, planned)
            return
        call = Call(
            instance_id=owned.id,
            task_id=planned.task_id,
            attempt=planned.attempt,
            run=planned.run,
            key=planned.key,
            config=planned.config,
            input=planned.input,
            deadline=time.monotonic() + planned.timeout_seconds,
            request_id=owned.state.request_id,
            undoes=planned.undoes,
        )
        listener = OneCall(owned, planned, ended=self._ended, late=self._came_late, free=self._call_freed)
        self._caller.start(planned.type, call, listener)

    def _ended(self, owned: Owned, planned: PlannedCall, outcome: Outcome, duration_ms: float) -> None:
        self._targets.ended(planned.target, outcome, duration_ms)
        task = owned.state.tasks.get(planned.task_id)
        if not owned.is_live or task is None or task.open_attempt != planned.attempt:
            self._came_late(owned, planned, outcome)
            return
        # A chain keeps its slot from task to task, so that an end and the next start share a commit; who has
        # several calls in flight gives the slot to those in line, and everybody gives it to another flow.
        keeps = owned.state.in_flight == 1 and not self._slots.others_wait(planned.type, owned.flow_id)
        favoured = planned.type if keeps else ""
        ended = Ended(task_id=planned.task_id, attempt=planned.attempt, outcome=outcome, duration_ms=duration_ms)
        self._event(owned, ended, favoured=favoured)

    def _came_late(self, owned: Owned, planned: PlannedCall, outcome: Outcome) -> None:
        row = stale_row(owned, planned, outcome, worker=self._owner, now=self._clock.now())
        log.warning("late_answer", instance_id=owned.id, task_id=planned.task_id, attempt=planned.attempt)
        self._sweeper.chore(lambda store: store.keep_stale(row))

    def _call_freed(self, planned: PlannedCall) -> None:
        self._free(planned.type, planned.target)

    def _free(self, type_: str, target: str) -> None:
        self._slots.free(type_)
        self._targets.freed(target)
        # Not at once: whoever frees a slot is in the middle of a step, and may need it again.
        self._loop.call_soon(self._offer, type_)

    def _offer(self, type_: str) -> None:
        """A free slot goes to the first in line who still needs it."""
        while (instance_id := self._slots.next_in_line(type_)) is not None:
            owned = self.owned.get(instance_id)
            if owned is not None and owned.is_live:
                self._event(owned, favoured=type_)

    def _give_back(self, calls: Sequence[PlannedCall]) -> None:
        for call in calls:
            self._call_freed(call)

    # Time and ends

    def _watch_time(self, owned: Owned) -> None:
        at = core.next_tick(owned.state)
        if at == owned.tick_at:
            return
        owned.cancel_tick()
        if at is not None:
            owned.tick_at = at
            wait = max(0.0, (at - self._clock.now()).total_seconds())
            owned.ticker = self._loop.call_later(wait, self._tick, owned)

    def _tick(self, owned: Owned) -> None:
        owned.cancel_tick()
        if owned.is_live:
            self._event(owned, Tick())

    def _forget(self, owned: Owned) -> None:
        """It waits for nothing any more."""
        self._slots.forget(owned.id, flow_id=owned.flow_id)
        self._targets.forget(owned)

    def _drop(self, owned: Owned, *, keep_lease: bool = False) -> None:
        """It is ours no longer."""
        if owned.gone:
            return
        owned.gone = True
        owned.cancel_tick()
        self._forget(owned)
        self.owned.remove(owned)
        if not keep_lease:
            self._leases.forget(owned.id, owned.fence)
        if len(self.owned) in (self._settings.owned_most - 1, self._settings.owned_of_flow - 1):
            self._sweeper.kick()
