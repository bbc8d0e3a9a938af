"""A bounded pool of daemon threads: a hung call must not keep the process from ending."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable

from django.db import connections


class DaemonPool:
    """Threads are made when they are needed, at most `most`; the standard library's pools join theirs at exit."""

    def __init__(self, name: str, most: int) -> None:
        self._name = name
        self._most = most
        self._work: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._threads = 0
        self._idle = 0

    def submit(self, work: Callable[[], None]) -> None:
        with self._lock:
            if self._idle > 0:
                self._idle -= 1
            elif self._threads < self._most:
                self._threads += 1
                name = f"{self._name}-{self._threads}"
                threading.Thread(target=self._run, name=name, daemon=True).start()
        self._work.put(work)

    def stop(self) -> None:
        """Threads that are free end; those in a call end after it."""
        with self._lock:
            for _ in range(self._threads):
                self._work.put(None)

    def _run(self) -> None:
        try:
            while (work := self._work.get()) is not None:
                work()
                with self._lock:
                    self._idle += 1
        finally:
            connections.close_all()  # the thread's own, which its end would leave to the collector
