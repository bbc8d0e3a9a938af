"""Processes of an earlier life: found by a mark in their environment, which descendants inherit."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Final

MARK: Final = "DISTTASK_DEMO_RUN"


def mark(home: Path) -> dict[str, str]:
    """What every child of the supervisor carries in its environment."""
    return {MARK: str(home.resolve())}


def leftovers(home: Path) -> list[int]:
    """Pids of this copy's processes, the caller aside. Empty where there is no /proc."""
    wanted = f"{MARK}={home.resolve()}".encode()
    pids = [int(entry.name) for entry in Path("/proc").glob("[0-9]*")]
    return [pid for pid in pids if pid != os.getpid() and _carries(pid, wanted)]


def _carries(pid: int, wanted: bytes) -> bool:
    try:
        environment = Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:  # ended meanwhile, or somebody else's
        return False
    return wanted in environment.split(b"\0")


def end_leftovers(home: Path, *, patience: float = 3) -> int:
    """End them all, those first asked politely who still listen; returns how many there were."""
    found = leftovers(home)
    for number in (signal.SIGTERM, signal.SIGKILL):
        for pid in leftovers(home):
            _signal(pid, number)
        deadline = time.monotonic() + patience
        while leftovers(home) and time.monotonic() < deadline:
            time.sleep(0.05)
    return len(found)


def _signal(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return
