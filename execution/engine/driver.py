"""The driver: performs what the core decides, for all instances it holds (architecture 4.3).

One asyncio loop owns every state; journal, leases and claims have threads of their own that only hand things over.
"""

from __future__ import annotations

import asyncio
import os
import random
import socket
import time
from collections.abc import Coroutine, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

import structlog

from execution.engine.calls import Caller
from execution.engine.clock import DatabaseClock
from execution.engine.hosting import Host
from execution.engine.instances import Instances
from execution.engine.journal import Fate, Journal, Then
from execution.engine.leases import LeaseKeeper
from execution.engine.port import FailurePort
from execution.engine.settings import EngineSettings
from execution.engine.slots import Slots
from execution.engine.state import Act
from execution.engine.sweeper import Haul, Room, Sweeper
from execution.engine.target_settings import TargetSettings
from execution.engine.targets import Targets
from execution.executors.base import Executor
from execution.stores.base import Store

log = structlog.get_logger(__name__)

TICK = 0.1  # how often the loop shows that it lives and looks at its host
HELP_AFTER = 0.5  # full for so long: there is more work than one driver can take


class Driver:
    """`owner` is the id of its EngineSession row. `run` returns when the session is over and all is written."""

    def __init__(
        self,
        *,
        store: Store,
        executors: Mapping[str, Executor],
        port: FailurePort,
        settings: EngineSettings,
        host: Host,
        owner: str,
        targets: TargetSettings | None = None,
        rng: random.Random | None = None,
    ) -> None:
        self.owner = owner
        self._store = store
        self._settings = settings
        self._host = host
        self._executors = executors
        self._target_settings = targets or TargetSettings()
        self._clock = DatabaseClock()
        self._state = "running"
        self._claiming = True
        self._sent = self._taken = 0  # instances handed to the loop; each is written by one thread only
        self._leases = LeaseKeeper(store, settings, owner=owner, clock=self._clock, on_lost=self._lost, beat=self._beat)
        self._journal = Journal(store, settings, self._deliver)
        self._sweeper = Sweeper(
            store,
            settings,
            owner=owner,
            clock=self._clock,
            leases=self._leases,
            sink=self,
            may_claim=lambda: self._claiming and self._journal.healthy,
        )
        self._parts = partial(
            Instances,
            settings=settings,
            owner=owner,
            clock=self._clock,
            port=port,
            rng=rng or random.Random(),  # noqa: S311  spreads retries, guards nothing
            journal=self._journal,
            leases=self._leases,
            sweeper=self._sweeper,
        )

    async def run(self) -> None:
        self._loop = asyncio.get_running_loop()
        limits = {
            name: executor.max_in_flight if executor.is_async else executor.max_threads
            for name, executor in self._executors.items()
        }
        self._caller = Caller(self._executors, self._settings)
        self._started = time.monotonic()
        self._targets = Targets(
            store=self._store,
            executors=self._executors,
            settings=self._target_settings,
            owner=self.owner,
            lease=self._settings.lease,
            clock=self._clock,
            waiting_most=self._settings.owned_most // 2,
        )
        self._instances = self._parts(
            slots=Slots(limits), targets=self._targets, caller=self._caller, may_start=self._may_start
        )
        self._leases.start()
        self._journal.start()
        await self._while_ticking(self._targets.start())
        self._sweeper.start()
        log.info("driver_started", owner=self.owner, kind=self._host.kind)
        try:
            waits = await self._claim_phase()
            await self._leave(waits)
        finally:
            await self._end()

    # Sink: called by the claim thread

    def room(self) -> Room:
        instances = self._instances
        return Room(
            free=self._settings.owned_most - self._held(),
            struck=0
            if instances.owned.tries(within=self._settings.trial)
            else self._settings.struck_lane - instances.owned.struck,
            held=instances.owned.of_flow.copy(),
        )

    def _held(self) -> int:
        return len(self._instances.owned) + self._sent - self._taken

    def watched(self) -> Mapping[str, int]:
        return {owned.id: owned.state.inbox for owned in list(self._instances.owned.values()) if owned.is_live}

    def haul(self, haul: Haul) -> None:
        self._sent += len(haul.loaded)
        self._loop.call_soon_threadsafe(self._take, haul)

    def asked(self, inboxes: Mapping[str, int], acts: Mapping[str, Sequence[Act]]) -> None:
        self._loop.call_soon_threadsafe(self._instances.feed, inboxes, acts)

    # Handed over by the other threads

    def _take(self, haul: Haul) -> None:
        self._taken += len(haul.loaded)
        self._instances.take(haul)

    def _lost(self, ids: Iterable[str]) -> None:
        self._loop.call_soon_threadsafe(self._instances.lost, list(ids))

    def _deliver(self, told: Sequence[tuple[Then, Fate]]) -> None:
        self._loop.call_soon_threadsafe(_tell, told)

    def _beat(self) -> None:
        self._store.beat(
            self.owner,
            host=socket.gethostname(),
            pid=os.getpid(),
            kind=self._host.kind,
            state=self._state,
            in_flight=len(self._instances.owned),
            now=self._clock.now(),
        )

    # The session

    async def _claim_phase(self) -> float | None:
        """Until it is time to go; returns how long calls in flight may then still take (None: as they like)."""
        full_since: float | None = None
        while True:
            await asyncio.sleep(TICK)
            self._leases.ticked()
            if self._host.should_go():
                return self._settings.drain
            if self._instances.has_outstayed:
                return None
            now = time.monotonic()
            claim_until = self._after(self._host.claim_seconds)
            if claim_until is not None and now >= claim_until:
                busy = now - self._sweeper.worked_at < self._settings.busy_for
                if await asyncio.to_thread(self._host.hand_over, busy=busy) or self._is_closing_time(now):
                    return None
            is_full = self._held() >= self._settings.owned_of_flow
            full_since = (full_since or now) if is_full else None
            if full_since is not None and now - full_since >= HELP_AFTER:
                full_since = None
                await asyncio.to_thread(self._host.call_help)

    def _after(self, seconds: float | None) -> float | None:
        return None if seconds is None else self._started + seconds

    def _is_closing_time(self, now: float) -> bool:
        """So near the forced end that few calls would still be over by then."""
        end = self._after(self._host.end_seconds)
        return end is not None and now > end - 60

    def _may_start(self, timeout: float) -> bool:
        """Whether a call of this length would be over before the host ends us by force."""
        end = self._after(self._host.end_seconds)
        return end is None or time.monotonic() + timeout + 5 < end

    async def _leave(self, calls_may_take: float | None) -> None:
        self._claiming = False
        self._state = "draining"
        self._instances.close()
        deadline = None if calls_may_take is None else time.monotonic() + calls_may_take
        while self._instances.owned or self._sent > self._taken:
            if deadline is None and self._host.should_go():
                deadline = time.monotonic() + self._settings.drain
            if deadline is not None and time.monotonic() >= deadline:
                self._instances.abandon_all()
                break
            await asyncio.sleep(TICK / 4)
            self._leases.ticked()

    async def _end(self) -> None:
        """Threads end after what they have in hand; then the session says so."""
        self._claiming = False
        await self._while_ticking(asyncio.to_thread(self._journal.stop, self._settings.drain))
        self._targets.close()
        await self._while_ticking(asyncio.to_thread(self._sweeper.stop))
        await self._while_ticking(asyncio.to_thread(self._targets.stop))
        self._state = "ended"
        await asyncio.to_thread(self._leases.stop)
        await self._caller.close()
        await asyncio.to_thread(self._say_ended)
        log.info("driver_ended", owner=self.owner, groups=self._journal.groups, records=self._journal.records)

    async def _while_ticking(self, work: Coroutine[Any, Any, object]) -> None:
        future = asyncio.ensure_future(work)
        while not future.done():
            await asyncio.wait([future], timeout=TICK)
            self._leases.ticked()

    def _say_ended(self) -> None:
        try:
            self._beat()
        except Exception as error:
            log.warning("end_not_told", error=str(error)[:200])
        finally:
            self._store.close()


def _tell(told: Sequence[tuple[Then, Fate]]) -> None:
    for then, fate in told:
        then(fate)
