"""An instance whose record the database will not take: as the store still has it, it is parked for a person."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Sequence

import structlog

from disttask_project.kernel.messages import text
from execution.engine.events import Event, Park
from execution.engine.leases import LeaseKeeper
from execution.engine.owned import Owned
from execution.engine.state import Act
from execution.engine.sweeper import Sweeper
from execution.stores.base import Claim, Loaded, Store

log = structlog.get_logger(__name__)


class RefusedRecords:
    """`begin` takes an instance up again, with its first event; on the loop like everything but the load."""

    def __init__(self, *, sweeper: Sweeper, leases: LeaseKeeper, begin: Callable[[Owned, Event], None]) -> None:
        self._sweeper = sweeper
        self._leases = leases
        self._begin = begin
        self._loop = asyncio.get_running_loop()

    def park(self, owned: Owned) -> None:
        """After its step was refused, and it was dropped with its lease kept."""
        state = owned.state
        claim = Claim(instance_id=owned.id, fence=owned.fence, strikes=state.strikes)
        if state.error is not None and state.error.get("code") == "RECORD_REFUSED":
            log.error("park_refused", instance_id=owned.id)
            self._leases.forget(owned.id, owned.fence)
            return
        self._sweeper.chore(lambda store: self._reload(store, claim, owned.fed))

    def _reload(self, store: Store, claim: Claim, fed: Collection[str]) -> None:
        """On the claim thread. Acts that were `fed` to the core may be what wrote the record: not a second time."""
        asked = store.open_actions([claim.instance_id]).get(claim.instance_id, ())
        acts = [act for act in asked if act.action_id in fed]
        for loaded in store.load([claim]):
            self._loop.call_soon_threadsafe(self._again, claim, loaded, acts)

    def _again(self, claim: Claim, loaded: Loaded, acts: Sequence[Act]) -> None:
        message = text("The database refuses what this instance has to write; see the log of the engine.")
        owned = Owned(loaded.state, claim.fence, struck=False)
        park = Park(code="RECORD_REFUSED", message=message, open_attempts=loaded.open_attempts, refuse=acts)
        self._begin(owned, park)
