"""Slots: how many calls of each type a driver has in flight, and who waits for the next (architecture 4.3)."""

from __future__ import annotations

import sys
from collections.abc import Mapping


class Slots:
    """Taken before an attempt's row is written, given back when the call has truly ended.

    Who waits stands in a line a flow, and the flows take turns: a flow with a thousand instances in line does not
    stand in the way of one that has a single one.
    """

    def __init__(self, limits: Mapping[str, int]) -> None:
        self._limits = dict(limits)
        self._used = dict.fromkeys(limits, 0)
        # type -> flow -> instances, all in the order of their turns.
        self._waiting: dict[str, dict[str, dict[str, None]]] = {type_: {} for type_ in limits}

    def take(self, type_: str, instance_id: str, *, flow_id: str = "", favoured: bool = False) -> bool:
        """A slot for this instance; False: it waits in line. `favoured`: it need not stand in line."""
        if type_ not in self._limits:
            # A type whose package is not installed here: its calls end at once.
            self._limits[type_], self._used[type_], self._waiting[type_] = sys.maxsize, 0, {}
        lines = self._waiting[type_]
        if self._used[type_] < self._limits[type_] and (favoured or not lines):
            self._used[type_] += 1
            return True
        lines.setdefault(flow_id, {})[instance_id] = None
        return False

    def free(self, type_: str) -> None:
        """Give a slot back; whoever is first in line is not told."""
        self._used[type_] -= 1

    def next_in_line(self, type_: str) -> str | None:
        """The instance that may have a free slot, taken out of the line; the next turn is another flow's."""
        lines = self._waiting[type_]
        if not lines or self._used[type_] >= self._limits[type_]:
            return None
        flow_id = next(iter(lines))
        line = lines.pop(flow_id)
        first = next(iter(line))
        del line[first]
        if line:
            lines[flow_id] = line
        return first

    def others_wait(self, type_: str, flow_id: str) -> bool:
        """Whether instances of another flow stand in line."""
        lines = self._waiting.get(type_)
        return lines is not None and not lines.keys() <= {flow_id}

    def forget(self, instance_id: str, *, flow_id: str = "") -> None:
        """It waits no longer."""
        for lines in self._waiting.values():
            line = lines.get(flow_id)
            if line is not None and instance_id in line:
                del line[instance_id]
                if not line:
                    del lines[flow_id]

    @property
    def in_use(self) -> int:
        return sum(self._used.values())
