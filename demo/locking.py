"""One supervisor a home: a lock that the kernel lets go of when its holder dies."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class Taken(Exception):
    """Another supervisor runs here; `pid` is its process."""

    def __init__(self, home: Path, pid: int) -> None:
        super().__init__(f"it already runs in {home} (process {pid}). For a second copy set DISTTASK_HOME and _PORT.")
        self.pid = pid


@contextmanager
def lock(home: Path) -> Iterator[None]:
    """Hold the home; raises `Taken` where somebody else does."""
    with (home / "run.lock").open("a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise Taken(home, int(file.read().strip() or 0)) from None
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield
