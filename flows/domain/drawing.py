"""A flow as a picture: SVG with our own layout, Mermaid text, or plain data."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from html import escape
from typing import Any, Final, Literal

from flows.domain.compiled import CompiledFlow
from flows.domain.layout import Layout, Point, lay_out

Direction = Literal["right", "down"]

NODE_WIDTH: Final = 176
NODE_HEIGHT: Final = 52
LAYER_GAP: Final = 56
RANK_GAP: Final = 20
MARGIN: Final = 16
LABEL_COLUMNS: Final = 22  # display columns that fit into a node; a Chinese character takes two

# For pictures that stand alone (API, files); pages bring a theme of their own.
_STYLE: Final = (
    "svg{font:13px system-ui,sans-serif;color:#1f2937;--line:#9ca3af;--box:#fff}"
    "@media(prefers-color-scheme:dark){svg{color:#e5e7eb;--line:#6b7280;--box:#1f2937}}"
    ".node rect{fill:var(--box);stroke:var(--line)}.node text{fill:currentColor}.node .node-type{opacity:.7;"
    "font-size:11px}.edge{fill:none;stroke:var(--line)}.arrow{fill:var(--line)}"
    ".status-success rect{stroke:#059669}.status-failed rect,.status-unknown rect{stroke:#dc2626;stroke-width:2}"
    ".status-running rect{stroke:#2563eb;stroke-width:2}.status-retrying rect,.status-waiting rect{stroke:#d97706}"
    ".status-skipped rect,.status-cancelled rect{stroke-dasharray:4 3}"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One task to draw."""

    id: str
    label: str
    task_name: str
    type: str
    depends_on: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Graph:
    """The tasks of a flow in topological order; every dependency is a node."""

    name: str
    nodes: tuple[Node, ...]

    @property
    def edges(self) -> list[tuple[str, str]]:
        return [(other, node.id) for node in self.nodes for other in node.depends_on]


def graph_of(flow: CompiledFlow) -> Graph:
    """The graph of a compiled flow."""
    nodes = tuple(
        Node(id=task.id, label=task.name, task_name=task.task_name, type=task.type, depends_on=task.depends_on)
        for task in flow.tasks.values()
    )
    return Graph(name=flow.name, nodes=nodes)


def draw_svg(
    graph: Graph,
    *,
    statuses: Mapping[str, str] | None = None,
    words: Mapping[str, str] | None = None,
    link: Callable[[str], str] | None = None,
    direction: Direction = "right",
    standalone: bool = False,
    uid: str = "flow",
) -> str:
    """The picture as SVG text.

    `statuses` gives each task's status (a class `status-...`), `words` what to call it, `link` the address of a
    task. `standalone` puts a style in. `uid` keeps the ids of several pictures on one page apart.
    """
    layout = lay_out({node.id: node.depends_on for node in graph.nodes})
    frame = _Frame(direction)
    width, height = frame.size(layout)
    said = statuses or {}
    pieces = [_opening(graph.name, width, height, uid=escape(uid), standalone=standalone), '<g class="edges">']
    pieces.extend(_edge(edge, layout, frame, escape(uid)) for edge in graph.edges)
    pieces.append('</g><g class="nodes">')
    for node in graph.nodes:
        status = said.get(node.id, "")
        word = (words or {}).get(status, status)
        pieces.append(_node(node, frame.corner(layout.places[node.id]), status, word, link))
    pieces.append("</g></svg>")
    return "".join(pieces)


def _opening(name: str, width: int, height: int, *, uid: str, standalone: bool) -> str:
    style = f"<style>{_STYLE}</style>" if standalone else ""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="flow-graph" viewBox="0 0 {width} {height}" width="{width}" '
        f'height="{height}" role="group" aria-label="{escape(name)}">{style}<defs><marker id="{uid}-arrow" '
        'viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" orient="auto">'
        '<path class="arrow" d="M0 0L8 4L0 8z"/></marker></defs>'
    )


class _Frame:
    """From layers and ranks to pixels."""

    def __init__(self, direction: Direction) -> None:
        self.right = direction == "right"
        along, across = (NODE_WIDTH, NODE_HEIGHT) if self.right else (NODE_HEIGHT, NODE_WIDTH)
        self._along, self._across = along, across

    def size(self, layout: Layout) -> tuple[int, int]:
        long = 2 * MARGIN + layout.layer_count * (self._along + LAYER_GAP) - LAYER_GAP
        wide = 2 * MARGIN + round(layout.rank_count * (self._across + RANK_GAP)) - RANK_GAP
        return (long, wide) if self.right else (wide, long)

    def corner(self, point: Point) -> tuple[int, int]:
        """The upper left corner of a node."""
        along = MARGIN + point.layer * (self._along + LAYER_GAP)
        across = MARGIN + round(point.rank * (self._across + RANK_GAP))
        return (along, across) if self.right else (across, along)

    def port(self, point: Point, *, leaving: bool) -> tuple[int, int]:
        """Where an edge leaves a node or comes to it."""
        x, y = self.corner(point)
        if self.right:
            return x + (NODE_WIDTH if leaving else 0), y + NODE_HEIGHT // 2
        return x + NODE_WIDTH // 2, y + (NODE_HEIGHT if leaving else 0)


def _edge(edge: tuple[str, str], layout: Layout, frame: _Frame, uid: str) -> str:
    source, target = edge
    points = [frame.port(layout.places[source], leaving=True)]
    for bend in layout.bends.get(edge, ()):
        points += [frame.port(bend, leaving=False), frame.port(bend, leaving=True)]
    points.append(frame.port(layout.places[target], leaving=False))
    path = f"M{points[0][0]} {points[0][1]}"
    for index in range(1, len(points)):
        path += _curve(points[index - 1], points[index], right=frame.right, straight=index % 2 == 0)
    return (
        f'<path class="edge" data-from="{escape(source)}" data-to="{escape(target)}" d="{path}" '
        f'marker-end="url(#{uid}-arrow)"/>'
    )


def _curve(start: tuple[int, int], end: tuple[int, int], *, right: bool, straight: bool) -> str:
    if straight:
        return f"L{end[0]} {end[1]}"
    if right:
        middle = (start[0] + end[0]) // 2
        return f"C{middle} {start[1]} {middle} {end[1]} {end[0]} {end[1]}"
    middle = (start[1] + end[1]) // 2
    return f"C{start[0]} {middle} {end[0]} {middle} {end[0]} {end[1]}"


def _node(node: Node, corner: tuple[int, int], status: str, word: str, link: Callable[[str], str] | None) -> str:
    x, y = corner
    classes = f"node status-{_css_word(status)}" if status else "node"
    title = " · ".join(part for part in (node.id, node.label, node.task_name, word) if part)
    second = " · ".join(part for part in (node.id if node.label != node.id else node.task_name, word) if part)
    body = (
        f"<title>{escape(title)}</title>"
        f'<rect x="{x}" y="{y}" width="{NODE_WIDTH}" height="{NODE_HEIGHT}" rx="8"/>'
        f'<text class="node-label" x="{x + 12}" y="{y + 22}">{escape(truncated(node.label, LABEL_COLUMNS))}</text>'
        f'<text class="node-type" x="{x + 12}" y="{y + 40}">{escape(truncated(second, LABEL_COLUMNS + 4))}</text>'
    )
    if link is not None:
        body = f'<a href="{escape(link(node.id))}">{body}</a>'
    return f'<g class="{classes}" data-task-id="{escape(node.id)}" data-type="{escape(node.type)}">{body}</g>'


def _css_word(status: str) -> str:
    """A status as part of a class name, whatever it says."""
    return re.sub(r"[^a-z0-9_-]", "-", status.lower())[:32]


def display_width(label: str) -> int:
    """Columns that a text takes: wide East Asian characters two, combining marks none."""
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in label
    )


def truncated(label: str, columns: int) -> str:
    """A label on one line that takes at most so many columns, an ellipsis where it was cut."""
    line = " ".join("".join(char if char.isprintable() else " " for char in label).split())
    if display_width(line) <= columns:
        return line
    kept = 0
    for index, char in enumerate(line):
        kept += display_width(char)
        if kept > columns - 1:
            return line[:index] + "…"
    return line


def to_json(graph: Graph, *, statuses: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Nodes with their layers, and edges."""
    layout = lay_out({node.id: node.depends_on for node in graph.nodes})
    nodes: list[dict[str, Any]] = []
    for node in graph.nodes:
        point = layout.places[node.id]
        shown = {"id": node.id, "name": node.label, "task_name": node.task_name, "type": node.type}
        nodes.append({**shown, "layer": point.layer, "rank": round(point.rank, 3)})
        if statuses is not None:
            nodes[-1]["status"] = statuses.get(node.id, "")
    return {
        "name": graph.name,
        "nodes": nodes,
        "edges": [{"from": source, "to": target} for source, target in graph.edges],
    }


def to_mermaid(graph: Graph, *, statuses: Mapping[str, str] | None = None) -> str:
    """A Mermaid flowchart. Nodes are numbered: ids may be words that Mermaid takes for its own."""
    names = {node.id: f"n{index}" for index, node in enumerate(graph.nodes)}
    lines = ["flowchart LR"]
    for node in graph.nodes:
        lines.append(f'  {names[node.id]}["{_mermaid_text(truncated(node.label, 60))}"]')
    lines.extend(f"  {names[source]} --> {names[target]}" for source, target in graph.edges)
    for node in graph.nodes:
        status = (statuses or {}).get(node.id)
        if status:
            lines.append(f"  class {names[node.id]} {_css_word(status)}")
    return "\n".join(lines) + "\n"


def _mermaid_text(label: str) -> str:
    return "".join(f"#{ord(char)};" if char in '"<>&#`[]{}|\\' else char for char in label)
