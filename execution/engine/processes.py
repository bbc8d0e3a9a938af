"""Processes of a cluster: they end with their parent, and what is left is found by its session (Linux)."""

from __future__ import annotations

import ctypes
import os
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

PROC: Final = Path("/proc")
PR_SET_PDEATHSIG: Final = 1
# Where the fields stand in /proc/<pid>/stat, counted after the command's name.
STATE, SESSION, START_TIME = 0, 3, 19


@dataclass(frozen=True, slots=True)
class Leader:
    """The first process of a cluster: its pid is the session of all of them, its start tells it from a namesake."""

    pid: int
    started: str

    def __str__(self) -> str:
        return f"{self.pid} {self.started}"


def leader_of(pid: int) -> Leader:
    fields = _stat(PROC / str(pid))
    return Leader(pid, fields[START_TIME] if fields else "")


def read_leader(text: str) -> Leader | None:
    """What `str(leader)` wrote."""
    pid, _, started = text.strip().partition(" ")
    return Leader(int(pid), started) if pid.isdigit() else None


def members(leader: Leader) -> list[int]:
    """Living processes of the cluster, also when its leader is dead.

    A number is not given to another process while a session goes by it; if the leader's number is alive again
    with another start, the session is somebody else's.
    """
    now = _stat(PROC / str(leader.pid))
    if now and now[START_TIME] != leader.started:
        return []
    found = []
    for entry in PROC.iterdir() if PROC.is_dir() else ():
        fields = _stat(entry) if entry.name.isdigit() else []
        if fields and fields[SESSION] == str(leader.pid) and fields[STATE] != "Z" and _is_queue(entry):
            found.append(int(entry.name))
    return found


def _stat(entry: Path) -> list[str]:
    try:
        # The command's name stands in parentheses and may hold anything.
        return (entry / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def _is_queue(entry: Path) -> bool:
    try:
        return b"qcluster" in (entry / "cmdline").read_bytes()
    except OSError:
        return False


def kill_all(leader: Leader, *, within: float = 5.0) -> Sequence[int]:
    """SIGKILL every process of the cluster until none is left. Returns those that still are."""
    deadline = time.monotonic() + within
    left = members(leader)
    while left and time.monotonic() < deadline:
        for pid in left:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        time.sleep(0.05)
        left = members(leader)
    return left


def die_with_parent(parent: int) -> None:
    """Ask the kernel to end this process when the one that started it ends, however it ends.

    A parent that has ended by then gives no signal any more: whoever finds itself with another one is an orphan.
    """
    try:
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    except (AttributeError, OSError):
        return  # not Linux: the supervisor finds what is left by its session
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)


class _Family:
    """The pid of this process, so that a child knows who its parent was when it was forked."""

    pid = 0

    @classmethod
    def forked(cls) -> None:
        parent, cls.pid = cls.pid, os.getpid()
        die_with_parent(parent)


def bind_family(parent: int) -> None:
    """This process and all that it forks end with their parents: no orphan goes on pulling work."""
    _Family.pid = os.getpid()
    die_with_parent(parent)
    os.register_at_fork(after_in_child=_Family.forked)
