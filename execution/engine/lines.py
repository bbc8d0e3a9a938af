"""A line that is fair between flows: a thousand instances of one flow do not stand before another's single one."""

from __future__ import annotations


class FairLine:
    """Each flow has a line of its own, first come first served, and the flows take turns."""

    __slots__ = ("_flows", "_length")

    def __init__(self) -> None:
        self._flows: dict[str, dict[str, None]] = {}  # flow -> its instances, both in the order of their turns
        self._length = 0

    def __len__(self) -> int:
        return self._length

    def add(self, instance_id: str, flow_id: str) -> None:
        """To the end of its flow's line, unless it stands there already."""
        line = self._flows.setdefault(flow_id, {})
        self._length += instance_id not in line
        line[instance_id] = None

    def pop(self) -> str | None:
        """Whose turn it is, taken out; the next turn is another flow's."""
        if not self._flows:
            return None
        flow_id = next(iter(self._flows))
        line = self._flows.pop(flow_id)
        first = next(iter(line))
        del line[first]
        self._length -= 1
        if line:
            self._flows[flow_id] = line
        return first

    def drop(self, instance_id: str, flow_id: str) -> None:
        """It waits no longer."""
        line = self._flows.get(flow_id)
        if line is not None and instance_id in line:
            del line[instance_id]
            self._length -= 1
            if not line:
                del self._flows[flow_id]

    def has_others(self, flow_id: str) -> bool:
        """Whether instances of another flow stand here."""
        return len(self._flows) > (flow_id in self._flows)
