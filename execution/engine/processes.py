"""Processes of a cluster, found by the token in their environment: also those whose parent is dead (Linux)."""

from __future__ import annotations

import ctypes
import os
import signal
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from execution.engine.sessions import CLUSTER_VARIABLE

PROC: Final = Path("/proc")
PR_SET_PDEATHSIG: Final = 1


def members(token: str) -> list[int]:
    """Living processes that were started for the cluster `token`."""
    mark = f"{CLUSTER_VARIABLE}={token}".encode()
    found = []
    for entry in PROC.iterdir() if PROC.is_dir() else ():
        if entry.name.isdigit() and int(entry.name) != os.getpid() and _carries(entry, mark):
            found.append(int(entry.name))
    return found


def _carries(entry: Path, mark: bytes) -> bool:
    try:
        if mark not in (entry / "environ").read_bytes().split(b"\0"):
            return False
        # The state follows the command's name, which stands in parentheses and may hold anything.
        return (entry / "stat").read_bytes().rpartition(b")")[2].split()[0] != b"Z"
    except OSError:
        return False  # it has ended meanwhile, or is somebody else's


def kill_all(token: str, *, within: float = 5.0) -> Sequence[int]:
    """SIGKILL every process of the cluster until none is left. Returns those that still are."""
    deadline = time.monotonic() + within
    left = members(token)
    while left and time.monotonic() < deadline:
        for pid in left:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        time.sleep(0.05)
        left = members(token)
    return left


def die_with_parent() -> None:
    """Ask the kernel to end this process when the one that forked it ends, however it ends."""
    try:
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    except (AttributeError, OSError):
        return  # not Linux: the supervisor's group kill remains
