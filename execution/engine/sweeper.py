"""The claim thread: looks for due work, loads it, watches inboxes and the database's time (architecture 4.3)."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Protocol

import structlog

from disttask_project.kernel.crashpoints import crash_point
from execution.engine.clock import DatabaseClock
from execution.engine.leases import LeaseKeeper
from execution.engine.settings import EngineSettings
from execution.engine.state import Act
from execution.stores.base import Claim, Loaded, Store, StoreUnavailable

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Haul:
    """What one claim brought, and the acts that are open for it. Claims that were lost meanwhile have no `loaded`."""

    claims: Sequence[Claim]
    loaded: Mapping[str, Loaded]
    acts: Mapping[str, Sequence[Act]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """How many instances may be claimed now, how many of them struck, and how many of each flow are held."""

    free: int
    struck: int
    held: Mapping[str, int] = field(default_factory=dict)


class Sink(Protocol):
    """The driver as the claim thread sees it. All but `room` and `asked_of` are handed to the loop."""

    def room(self) -> Room:
        """How much may be claimed now."""

    def watched(self) -> Mapping[str, int]:
        """Instances held, with the inbox count each knows."""

    def haul(self, haul: Haul) -> None: ...

    def asked(self, inboxes: Mapping[str, int], acts: Mapping[str, Sequence[Act]]) -> None: ...


Chore = Callable[[Store], None]


class Sweeper:
    def __init__(
        self,
        store: Store,
        settings: EngineSettings,
        *,
        owner: str,
        clock: DatabaseClock,
        leases: LeaseKeeper,
        sink: Sink,
        may_claim: Callable[[], bool],
    ) -> None:
        self._store = store
        self._settings = settings
        self._owner = owner
        self._clock = clock
        self._leases = leases
        self._sink = sink
        self._may_claim = may_claim
        self._chores: queue.SimpleQueue[Chore] = queue.SimpleQueue()
        self._kick = threading.Event()
        self._stopped = False
        self._failed_at: float | None = None
        self._swept = 0.0
        self.worked_at = 0.0  # monotonic; when a claim last brought something
        self._thread = threading.Thread(target=self._run, name="claims", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Ends after the chores that are queued."""
        self._stopped = True
        self._kick.set()
        self._thread.join(10)

    def chore(self, work: Chore) -> None:
        """Something for the store that nobody waits for."""
        self._chores.put(work)
        self._kick.set()

    def kick(self) -> None:
        self._kick.set()

    def _run(self) -> None:
        pause = 0.0
        while not self._stopped:
            self._kick.wait(pause)
            self._kick.clear()
            pause = self._turn()
        self._turn(last=True)
        self._store.close()

    def _turn(self, *, last: bool = False) -> float:
        """One look; returns how long to wait for the next."""
        try:
            self._do_chores()
            if last:
                return 0.0
            if time.monotonic() - self._swept >= self._settings.sweep_every:
                self._sweep()
            found = self._claim()
        except StoreUnavailable as error:
            if self._failed_at is None:
                log.warning("claims_wait", error=str(error)[:300])
            self._failed_at = time.monotonic()
            return min(1.0, self._settings.poll_idle * 2)
        except Exception:
            # A surprise in one look must not end all looking.
            log.exception("claims_failed")
            return 1.0
        if found >= self._settings.claim_batch:
            return 0.0
        busy = time.monotonic() - self.worked_at < self._settings.busy_for
        return self._settings.poll_busy if busy else self._settings.poll_idle

    def _do_chores(self) -> None:
        while not self._chores.empty():
            chore = self._chores.get()
            try:
                chore(self._store)
            except StoreUnavailable:
                self._chores.put(chore)
                raise
            except Exception:
                log.exception("chore_failed")

    def _sweep(self) -> None:
        self._clock.refresh(self._store.now)
        watched = self._sink.watched()
        if watched:
            inboxes = self._store.inboxes(watched)
            moved = {key: count for key, count in inboxes.items() if count > watched[key]}
            if moved:
                self._sink.asked(moved, self._store.open_actions(moved))
        self._swept = time.monotonic()

    def _claim(self) -> int:
        room = self._sink.room()
        if room.free <= 0 or not self._may_claim() or not self._after_outage():
            return 0
        started = time.monotonic()
        claims = self._store.claim(
            self._owner,
            limit=min(room.free, self._settings.claim_batch),
            struck_limit=room.struck,
            lease=timedelta(seconds=self._settings.lease),
            now=self._clock.now(),
            held=room.held,
            most_of_flow=self._settings.owned_of_flow,
        )
        if not claims:
            return 0
        self.worked_at = time.monotonic()
        self._leases.add(((claim.instance_id, claim.fence) for claim in claims), claimed_from=started)
        # As a chore: when the store goes away between claim and load, the load is done once it is back.
        self._chores.put(lambda _store: self._load(claims))
        self._do_chores()
        return len(claims)

    def _load(self, claims: Sequence[Claim]) -> None:
        try:
            loaded = {each.state.id: each for each in self._store.load(claims)}
            asked: Collection[str] = [key for key, each in loaded.items() if each.state.inbox]
            acts = self._store.open_actions(asked) if asked else {}
        except StoreUnavailable:
            raise
        except Exception:
            # Not to be renewed for ever with nobody at work: the leases run out, each a strike.
            for claim in claims:
                self._leases.forget(claim.instance_id, claim.fence)
            raise
        crash_point("claim.loaded")
        self._sink.haul(Haul(claims=claims, loaded=loaded, acts=acts))

    def _after_outage(self) -> bool:
        """After the store was away: first renew what is ours, then claim."""
        if self._failed_at is None:
            return True
        if self._leases.renewed_since(self._failed_at):
            log.info("claims_recovered")
            self._failed_at = None
            return True
        self._leases.hurry()
        return False
