"""Leases of a driver: renewed by a thread of their own, with deadlines on the monotonic clock (architecture 4.4).

The same thread watches the loop and sends the driver's heartbeat: it is what stays awake when the loop does not.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable
from datetime import timedelta

import structlog

from disttask_project.kernel.clock import Clock
from execution.engine.settings import EngineSettings
from execution.stores.base import Store, StoreUnavailable

log = structlog.get_logger(__name__)

EXIT_LOOP_SILENT = 70


def end_process() -> None:
    """The loop hangs: its calls cannot be answered for, and its leases must run out. Nothing is cleaned up."""
    os._exit(EXIT_LOOP_SILENT)


class LeaseKeeper:
    """`on_lost` is called on this thread with instances that are no longer ours."""

    def __init__(
        self,
        store: Store,
        settings: EngineSettings,
        *,
        owner: str,
        clock: Clock,
        on_lost: Callable[[Iterable[str]], None],
        beat: Callable[[], None],
        end: Callable[[], None] = end_process,
    ) -> None:
        self._store = store
        self._settings = settings
        self._owner = owner
        self._clock = clock
        self._on_lost = on_lost
        self._beat = beat
        self._end = end
        self._lock = threading.Lock()
        self._fences: dict[str, int] = {}
        self._deadlines: dict[str, float] = {}
        self._wanted = threading.Event()
        self._stopped = False
        self._ticked = time.monotonic()
        self._renewed = time.monotonic()
        self._thread = threading.Thread(target=self._run, name="leases", daemon=True)

    def start(self) -> None:
        self._ticked = self._renewed = time.monotonic()
        self._thread.start()

    def stop(self) -> None:
        self._stopped = True
        self._wanted.set()
        self._thread.join(5)

    def ticked(self) -> None:
        """The loop is alive."""
        self._ticked = time.monotonic()

    def add(self, fences: Iterable[tuple[str, int]], *, claimed_from: float) -> None:
        """Instances claimed by a request that left at `claimed_from` (monotonic): their leases count from there."""
        deadline = claimed_from + self._settings.lease
        with self._lock:
            for instance_id, fence in fences:
                self._fences[instance_id] = fence
                self._deadlines[instance_id] = deadline

    def forget(self, instance_id: str, fence: int) -> None:
        with self._lock:
            if self._fences.get(instance_id) == fence:
                del self._fences[instance_id], self._deadlines[instance_id]

    def may_call(self, instance_id: str, fence: int) -> bool:
        """Whether enough lease is left for a call to leave."""
        with self._lock:
            if self._fences.get(instance_id) != fence:
                return False
            return self._deadlines[instance_id] - time.monotonic() > self._settings.call_margin

    def renewed_since(self, moment: float) -> bool:
        """Whether all was renewed by a request that left after `moment` (monotonic)."""
        return self._renewed > moment or not self._fences

    def hurry(self) -> None:
        """Renew now: the store is back, and nobody may have claimed what is ours."""
        self._wanted.set()

    def _run(self) -> None:
        last_beat = 0.0
        due = time.monotonic() + self._settings.renew_every
        while not self._stopped:
            self._watch_loop()
            now = time.monotonic()
            if now - last_beat >= self._settings.beat_every:
                last_beat = now
                self._guarded(self._beat)
            if now >= due or self._wanted.is_set():
                self._wanted.clear()
                done = self._guarded(self._renew)
                due = time.monotonic() + (self._settings.renew_every if done else min(1.0, self._settings.renew_every))
            self._wanted.wait(min(self._settings.beat_every, max(0.0, due - time.monotonic())))
        self._store.close()

    def _guarded(self, work: Callable[[], None]) -> bool:
        try:
            work()
        except StoreUnavailable as error:
            log.warning("leases_wait", error=str(error)[:300])
            return False
        except Exception:
            # This thread must outlive any surprise: without it every lease runs out.
            log.exception("leases_failed")
            return False
        return True

    def _renew(self) -> None:
        silent = time.monotonic() - self._ticked
        if silent > self._settings.loop_fresh:
            log.warning("leases_not_renewed", loop_silent=round(silent, 1))
            return
        with self._lock:
            fences = dict(self._fences)
        asked = time.monotonic()
        if fences:
            lease = timedelta(seconds=self._settings.lease)
            lost = self._store.renew(self._owner, fences, lease=lease, now=self._clock.now())
            self._note(fences, lost, asked + self._settings.lease)
        self._renewed = asked

    def _note(self, fences: dict[str, int], lost: set[str], deadline: float) -> None:
        gone = []
        with self._lock:
            for instance_id, fence in fences.items():
                if self._fences.get(instance_id) != fence:
                    continue
                if instance_id in lost:
                    del self._fences[instance_id], self._deadlines[instance_id]
                    gone.append(instance_id)
                else:
                    self._deadlines[instance_id] = deadline
        if gone:
            self._on_lost(gone)

    def _watch_loop(self) -> None:
        silent = time.monotonic() - self._ticked
        if silent > self._settings.loop_silent:
            log.critical("loop_silent", seconds=round(silent, 1))
            self._end()
