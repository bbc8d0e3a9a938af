"""Named points of the engine at which the fault suite ends a process by SIGKILL (tests/chaos).

They stand before and after whatever may be cut in two: each commit, each send, receive and acknowledgement. Nothing
is armed unless `DISTTASK_CHAOS_CRASH_AT` says so, and then a point costs one comparison: `NAME:PASS` or
`NAME:PASS:FILE` kills at the n-th pass of that name in this process; where a file is named, only the process that
removes it dies, so that one arming kills one of many. A name may end in `*`.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping
from typing import Final

VARIABLE: Final = "DISTTASK_CHAOS_CRASH_AT"

# Every point there is, in the order an instance meets them. `{type}` is a task type.
POINTS: Final = (
    "start.before_commit",
    "start.after_commit",
    "bell.before",
    "bell.after",
    "drive.begin",
    "drive.end",  # before the queue acknowledges the wake-up
    "claim.before_commit",
    "claim.after_commit",
    "claim.loaded",
    "journal.before_commit",
    "journal.after_commit",
    "readback.before_commit",
    "readback.after_commit",
    "renew.before_commit",
    "renew.after_commit",
    "targets.before_commit",  # what a driver tells of its targets
    "targets.after_commit",
    "permits.before_commit",
    "permits.after_commit",
    "breaker.before_commit",
    "breaker.after_commit",
    "wake.before_commit",  # parked work made due
    "wake.after_commit",
    "call.send:{type}",
    "call.receive:{type}",
    "ask.before_commit",
    "ask.after_commit",
    "hold.before_commit",
    "hold.after_commit",
    "cluster.spawned",
)


class _Armed:
    """One point of one process. Threads may pass at once: a pass more or less changes nothing."""

    __slots__ = ("file", "left", "name")

    def __init__(self, name: str, left: int, file: str) -> None:
        self.name = name
        self.left = left
        self.file = file

    def passes(self, name: str) -> None:
        if name != self.name and not (self.name.endswith("*") and name.startswith(self.name[:-1])):
            return
        self.left -= 1
        if self.left > 0 or not self._is_ours():
            return
        os.kill(os.getpid(), signal.SIGKILL)

    def _is_ours(self) -> bool:
        if not self.file:
            return True
        try:
            os.unlink(self.file)
        except FileNotFoundError:
            return False
        return True


_armed: _Armed | None = None


def crash_point(name: str) -> None:
    """The process has come to this point."""
    if _armed is not None:
        _armed.passes(name)


def arm(what: str) -> None:
    """`NAME:PASS[:FILE]`, or "" for none. Raises `ValueError` where it cannot be read."""
    global _armed  # noqa: PLW0603  a process dies once
    if not what:
        _armed = None
        return
    name, number, file = _read(what)
    _armed = _Armed(name, number, file)


def _read(what: str) -> tuple[str, int, str]:
    head, _, file = what.partition(":/")
    name, _, number = head.rpartition(":")
    if not name or not number.isdigit() or int(number) < 1:
        raise ValueError(f"{VARIABLE}={what!r}: expected NAME:PASS or NAME:PASS:/FILE, PASS a number from 1")
    return name, int(number), f"/{file}" if file else ""


def arm_from(environ: Mapping[str, str]) -> None:
    arm(environ.get(VARIABLE, ""))


arm_from(os.environ)
