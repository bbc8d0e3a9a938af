"""Sessions of one cluster on one host: how many at once, and the flag that sends them home.

Both live in files, because the workers of a cluster share no memory with its supervisor, and because a lock of the
operating system is given back however its holder dies.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

CLUSTER_VARIABLE: Final = "DISTTASK_CLUSTER"  # the cluster's token, in the environment of all its processes
PARENT_VARIABLE: Final = "DISTTASK_CLUSTER_PARENT"  # the pid of its supervisor


def run_folder(home: Path) -> Path:
    folder = home / "run"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


class SessionSlots:
    """At most `workers - 1` sessions, so that one worker always answers its canary (architecture 4.10)."""

    def __init__(self, home: Path, workers: int) -> None:
        self._folder = run_folder(home)
        self._count = max(1, workers - 1)

    @contextmanager
    def taken(self) -> Iterator[bool]:
        """Hold a slot for the block; False: all are taken."""
        for number in range(self._count):
            handle = self._lock(number)
            if handle is not None:
                try:
                    yield True
                finally:
                    os.close(handle)
                return
        yield False

    def free(self) -> int:
        """How many are free right now."""
        free = 0
        for number in range(self._count):
            handle = self._lock(number)
            if handle is not None:
                os.close(handle)
                free += 1
        return free

    def all_free(self) -> bool:
        return self.free() == self._count

    def _lock(self, number: int) -> int | None:
        # Not inherited by processes that are started: a lock belongs to whoever runs the session.
        handle = os.open(self._folder / f"session-{number}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            return None
        return handle


class DrainFlag:
    """Raised by the supervisor of the cluster `token`; its sessions look at it ten times a second."""

    def __init__(self, home: Path, token: str) -> None:
        self._path = run_folder(home) / f"drain-{token}"

    def lift(self) -> None:
        self._path.touch()

    def lower(self) -> None:
        self._path.unlink(missing_ok=True)

    def is_up(self) -> bool:
        return self._path.exists()


class CanaryStamp:
    """What a worker of the cluster `token` answered last."""

    def __init__(self, home: Path, token: str) -> None:
        self._path = run_folder(home) / f"canary-{token}"

    def write(self, word: str) -> None:
        fresh = self._path.with_name(f"{self._path.name}.{os.getpid()}")
        fresh.write_text(word)
        fresh.replace(self._path)

    def read(self) -> str:
        try:
            return self._path.read_text()
        except FileNotFoundError:
            return ""

    def remove(self) -> None:
        self._path.unlink(missing_ok=True)
