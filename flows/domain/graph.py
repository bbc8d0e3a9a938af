"""The shape of a flow: order, cycles, ancestors, layers. Iterative throughout: a chain may be 10,000 tasks deep."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence

Edges = Mapping[str, Sequence[str]]  # for each node the nodes it depends on; every one of them is a key as well


def dependents_of(edges: Edges) -> dict[str, tuple[str, ...]]:
    """For each node those that name it, in the order of `edges`."""
    found: dict[str, list[str]] = {node: [] for node in edges}
    for node, needed in edges.items():
        for other in dict.fromkeys(needed):
            found[other].append(node)
    return {node: tuple(others) for node, others in found.items()}


def topological_order(edges: Edges) -> list[str]:
    """Every node after all it depends on, and otherwise in the order of `edges`; shorter when there is a cycle."""
    dependents = dependents_of(edges)
    missing = {node: len(set(needed)) for node, needed in edges.items()}
    ready = deque(node for node, count in missing.items() if count == 0)
    order: list[str] = []
    while ready:
        node = ready.popleft()
        order.append(node)
        for other in dependents[node]:
            missing[other] -= 1
            if missing[other] == 0:
                ready.append(other)
    return order


def find_cycle(edges: Edges) -> list[str] | None:
    """One cycle, named in the order in which its tasks would wait: each depends on the one before it; or None.

    It starts at the member that stands first in `edges`, so that the same document is told the same way.
    """
    stuck = set(edges).difference(topological_order(edges))
    if not stuck:
        return None
    # A node that could not be ordered has a dependency that could not: walking up must come round.
    node = next(name for name in edges if name in stuck)
    seen: dict[str, int] = {}
    path: list[str] = []
    while node not in seen:
        seen[node] = len(path)
        path.append(node)
        node = next(other for other in edges[node] if other in stuck)
    cycle = path[seen[node] :][::-1]
    positions = {name: index for index, name in enumerate(edges)}
    first = min(range(len(cycle)), key=lambda index: positions[cycle[index]])
    return cycle[first:] + cycle[:first]


class Ancestors:
    """Which tasks have certainly been looked at before another starts: bit sets, one integer a task."""

    def __init__(self, edges: Edges, order: Iterable[str] | None = None) -> None:
        names = list(order if order is not None else topological_order(edges))
        self._bit = {name: index for index, name in enumerate(names)}
        self._above: dict[str, int] = {}
        for name in names:
            above = 0
            for other in edges[name]:
                above |= self._above[other] | 1 << self._bit[other]
            self._above[name] = above

    def includes(self, task: str, ancestor: str) -> bool:
        """Whether `task` depends on `ancestor`, directly or through others."""
        return bool(self._above[task] >> self._bit[ancestor] & 1)

    def of(self, task: str) -> list[str]:
        """All ancestors, in topological order."""
        above = self._above[task]
        return [name for name, bit in self._bit.items() if above >> bit & 1]


def layers_of(edges: Edges, order: Iterable[str] | None = None) -> dict[str, int]:
    """The longest way from a node without dependencies, which is layer 0."""
    layers: dict[str, int] = {}
    for node in order if order is not None else topological_order(edges):
        layers[node] = max((layers[other] + 1 for other in edges[node]), default=0)
    return layers
