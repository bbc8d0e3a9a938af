"""Cuts a socket whose server stays silent past a deadline: drivers of databases cannot be told to give up.

One thread a process, started on first use.
"""

from __future__ import annotations

import heapq
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress


class Watchdog:
    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._due: list[tuple[float, int]] = []
        self._sockets: dict[int, int] = {}  # watch -> file descriptor of ours
        self._count = 0
        self._thread: threading.Thread | None = None

    @contextmanager
    def watching(self, descriptor: int | None, until: float) -> Iterator[None]:
        """Shut the socket down if the block still runs at `until` (`time.monotonic()`)."""
        if descriptor is None:
            yield
            return
        watch = self._add(os.dup(descriptor), until)
        try:
            yield
        finally:
            with self._changed:
                own = self._sockets.pop(watch, None)
            if own is not None:
                os.close(own)

    def _add(self, own: int, until: float) -> int:
        with self._changed:
            self._count += 1
            self._sockets[self._count] = own
            heapq.heappush(self._due, (until, self._count))
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="db-watchdog", daemon=True)
                self._thread.start()
            elif self._due[0][1] == self._count:
                self._changed.notify()
            return self._count

    def _run(self) -> None:
        with self._changed:
            while True:
                while self._due and self._due[0][1] not in self._sockets:
                    heapq.heappop(self._due)
                if not self._due:
                    self._changed.wait()
                    continue
                left = self._due[0][0] - time.monotonic()
                if left > 0:
                    self._changed.wait(left)
                    continue
                own = self._sockets.pop(heapq.heappop(self._due)[1], None)
                if own is not None:
                    _shut(own)


def _shut(descriptor: int) -> None:
    # The socket object takes the descriptor over and closes it.
    with socket.socket(fileno=descriptor) as own, suppress(OSError):
        own.shutdown(socket.SHUT_RDWR)
