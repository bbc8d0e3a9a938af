"""Where the tasks of a graph stand when it is drawn: layers by the longest path, ordered to cross few lines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from flows.domain.graph import layers_of, topological_order

SWEEPS: Final = 6
MAX_BENDS: Final = 20_000  # points that long edges are led through; past that they are drawn straight


@dataclass(frozen=True, slots=True)
class Point:
    """`layer` counts along the flow, `rank` across it; both in units of one node."""

    layer: int
    rank: float


@dataclass(frozen=True, slots=True)
class Layout:
    """The place of each node, and for each edge that skips layers the points it passes between."""

    places: Mapping[str, Point]
    bends: Mapping[tuple[str, str], Sequence[Point]]
    layer_count: int
    rank_count: float


def lay_out(edges: Mapping[str, Sequence[str]]) -> Layout:
    """`edges` names for each node those it depends on; there must be no cycle."""
    order = topological_order(edges)
    layer_of: dict[str, int] = layers_of(edges, order)
    above: dict[str, list[str]] = {}
    chains = _bend(edges, order, layer_of, above)
    below: dict[str, list[str]] = {name: [] for name in above}
    for name, others in above.items():
        for other in others:
            below[other].append(name)
    layers: list[list[str]] = [[] for _ in range(max(layer_of.values(), default=-1) + 1)]
    for name in above:
        layers[layer_of[name]].append(name)
    _order(layers, above, below)
    ranks = _ranks(layers, above, below)
    lowest = min(ranks.values(), default=0.0)
    places = {name: Point(layer_of[name], ranks[name] - lowest) for name in above}
    return Layout(
        places={name: places[name] for name in edges},
        bends={edge: [places[name] for name in chain] for edge, chain in chains.items()},
        layer_count=len(layers),
        rank_count=max((point.rank for point in places.values()), default=-1.0) + 1,
    )


def _bend(
    edges: Mapping[str, Sequence[str]], order: Sequence[str], layer_of: dict[str, int], above: dict[str, list[str]]
) -> dict[tuple[str, str], list[str]]:
    """Fill `above` with the neighbours in the layer before; long edges get a point in each layer they cross."""
    spans = sum(max(0, layer_of[node] - layer_of[other] - 1) for node in order for other in edges[node])
    chains: dict[tuple[str, str], list[str]] = {}
    for node in order:
        above[node] = []
        for other in dict.fromkeys(edges[node]):
            gap = range(layer_of[other] + 1, layer_of[node])
            if not gap or spans > MAX_BENDS:
                above[node].append(other)
                continue
            chain = [f"{other}\n{node}\n{layer}" for layer in gap]  # no id holds a line break
            for name, layer, before in zip(chain, gap, [other, *chain], strict=False):
                above[name] = [before]
                layer_of[name] = layer
            above[node].append(chain[-1])
            chains[other, node] = chain
    return chains


def _order(layers: list[list[str]], above: Mapping[str, list[str]], below: Mapping[str, list[str]]) -> None:
    """Sort each layer by the mean place of its neighbours, sweeping down and up."""
    place = {name: float(index) for layer in layers for index, name in enumerate(layer)}
    for sweep in range(SWEEPS):
        neighbours, sequence = (above, layers[1:]) if sweep % 2 == 0 else (below, layers[-2::-1])
        for layer in sequence:
            means = {name: _mean([place[other] for other in neighbours[name]], place[name]) for name in layer}
            layer.sort(key=means.__getitem__)
            for index, name in enumerate(layer):
                place[name] = float(index)


def _mean(values: Sequence[float], otherwise: float) -> float:
    return sum(values) / len(values) if values else otherwise


def _ranks(layers: list[list[str]], above: Mapping[str, list[str]], below: Mapping[str, list[str]]) -> dict[str, float]:
    """A rank for each node, one apart at least within its layer, near the middle of its neighbours."""
    ranks = {name: index - len(layer) / 2 for layer in layers for index, name in enumerate(layer)}
    for sweep in range(SWEEPS):
        down = sweep % 2 == 0
        for layer in layers if down else reversed(layers):
            neighbours = above if down else below
            wanted = [_mean([ranks[other] for other in neighbours[name]], ranks[name]) for name in layer]
            for name, rank in zip(layer, _spread(wanted), strict=True):
                ranks[name] = rank
    return ranks


def _spread(wanted: Sequence[float]) -> list[float]:
    """Places one apart at least, in order, as near to the wanted ones as the mean of pushing up and pushing down."""
    upward: list[float] = []
    for place in wanted:
        upward.append(max(place, upward[-1] + 1) if upward else place)
    downward: list[float] = []
    for place in reversed(wanted):
        downward.append(min(place, downward[-1] - 1) if downward else place)
    return [(low + high) / 2 for low, high in zip(upward, reversed(downward), strict=True)]
