"""Slots: how many calls of each type a driver has in flight, and who waits for the next (architecture 4.3)."""

from __future__ import annotations

import sys
from collections.abc import Mapping

from execution.engine.lines import FairLine


class Slots:
    """Taken before an attempt's row is written, given back when the call has truly ended."""

    def __init__(self, limits: Mapping[str, int]) -> None:
        self._limits = dict(limits)
        self._used = dict.fromkeys(limits, 0)
        self._lines = {type_: FairLine() for type_ in limits}

    def take(self, type_: str, instance_id: str, *, flow_id: str = "", favoured: bool = False) -> bool:
        """A slot for this instance; False: it waits in line. `favoured`: it need not stand in line."""
        if type_ not in self._limits:
            # A type whose package is not installed here: its calls end at once.
            self._limits[type_], self._used[type_], self._lines[type_] = sys.maxsize, 0, FairLine()
        line = self._lines[type_]
        if self._used[type_] < self._limits[type_] and (favoured or not line):
            self._used[type_] += 1
            return True
        line.add(instance_id, flow_id)
        return False

    def free(self, type_: str) -> None:
        """Give a slot back; whoever is first in line is not told."""
        self._used[type_] -= 1

    def next_in_line(self, type_: str) -> str | None:
        """The instance that may have a free slot, taken out of the line."""
        return self._lines[type_].pop() if self._used[type_] < self._limits[type_] else None

    def others_wait(self, type_: str, flow_id: str) -> bool:
        """Whether instances of another flow stand in line."""
        line = self._lines.get(type_)
        return line is not None and line.has_others(flow_id)

    def forget(self, instance_id: str, *, flow_id: str = "") -> None:
        """It waits no longer."""
        for line in self._lines.values():
            if line:
                line.drop(instance_id, flow_id)

    @property
    def in_use(self) -> int:
        return sum(self._used.values())
