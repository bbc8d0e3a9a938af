"""CPU of a run's own processes, of the servers under test, and of everybody else on the machine."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

PROC: Final = Path("/proc")
TICK: Final = 1 / os.sysconf("SC_CLK_TCK")
CORES: Final = os.cpu_count() or 1
# Fields of /proc/<pid>/stat, counted after the command's name (proc(5)).
PARENT, USER, SYSTEM, CHILDREN_USER, CHILDREN_SYSTEM, STARTED = 1, 11, 12, 13, 14, 19
OTHERS: Final = "others"

Key = tuple[int, str]  # pid and start: a pid alone may come again


@dataclass(frozen=True, slots=True)
class Reading:
    """CPU seconds so far by process, and which group each belongs to."""

    seconds: dict[Key, float]
    group: dict[Key, str]


@dataclass(slots=True)
class CpuMeter:
    """`roots`: pid to name. Whatever descends from one belongs to it.

    By descent and not by environment: processes that set their title (the queue's) overwrite what others can read.
    """

    roots: dict[int, str]
    _kept: dict[Key, str] = field(default_factory=dict)

    def read(self) -> Reading:
        stats = {pid: fields for pid in _pids() if (fields := _stat(pid))}
        seconds: dict[Key, float] = {}
        group: dict[Key, str] = {}
        for pid, fields in stats.items():
            key = (pid, fields[STARTED])
            name = self._kept.get(key) or self._descent(pid, stats)
            if name != OTHERS:
                self._kept[key] = name  # it may lose its parent and goes on being ours
            ticks = int(fields[USER]) + int(fields[SYSTEM])
            if name != OTHERS:
                # A process that ended is counted in the parent that waited for it.
                ticks += int(fields[CHILDREN_USER]) + int(fields[CHILDREN_SYSTEM])
            seconds[key] = ticks * TICK
            group[key] = name
        return Reading(seconds, group)

    def _descent(self, pid: int, stats: Mapping[int, Sequence[str]]) -> str:
        while pid > 1:
            if pid in self.roots:
                return self.roots[pid]
            fields = stats.get(pid)
            if fields is None:
                break
            pid = int(fields[PARENT])
        return OTHERS


def between(before: Reading, after: Reading) -> dict[str, float]:
    """CPU seconds by group. A process that appeared counts from its start, one that went is in its parent's sum."""
    spent: dict[str, float] = {}
    for key, seconds in after.seconds.items():
        name = after.group[key]
        spent[name] = spent.get(name, 0.0) + seconds - before.seconds.get(key, 0.0)
    for key, seconds in before.seconds.items():
        if key not in after.seconds and before.group[key] != OTHERS:
            name = before.group[key]
            spent[name] = spent.get(name, 0.0) - seconds
    return spent


def _pids() -> list[int]:
    return [int(entry) for entry in os.listdir(PROC) if entry.isdigit()]


def _stat(pid: int) -> list[str]:
    try:
        return (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []
