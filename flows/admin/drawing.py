"""Graphs for pages: of a saved version, and of whatever somebody is typing."""

from __future__ import annotations

from typing import Any

from django.utils.safestring import SafeString

from disttask_project.kernel.errors import DisttaskError
from flows.domain.drawing import Graph, Node, draw_svg
from flows.domain.graph import find_cycle, topological_order
from flows.models import FlowVersion
from flows.selectors import version_graph

# Beyond this a picture is too big to help, and too slow to make at every keystroke.
MAX_DRAWN = 300


def drawn(version: FlowVersion, *, uid: str = "flow") -> SafeString:
    """The picture of a version; "" where its stored form cannot be read any more."""
    try:
        graph = version_graph(version)
    except DisttaskError:
        return SafeString("")
    return _svg(graph, uid) if len(graph.nodes) <= MAX_DRAWN else SafeString("")


def drawn_document(document: Any) -> SafeString:
    """As much of an unfinished definition as can be drawn: unknown dependencies are left out, a cycle draws nothing."""
    tasks = document.get("tasks") if isinstance(document, dict) else None
    if not isinstance(tasks, list):
        return SafeString("")
    named = [task for task in tasks if isinstance(task, dict) and isinstance(task.get("id"), str)]
    entries = {task["id"]: task for task in named}
    if not entries or len(entries) > MAX_DRAWN:
        return SafeString("")
    edges = {task_id: _known(entry.get("depends_on"), entries) for task_id, entry in entries.items()}
    if find_cycle(edges) is not None:
        return SafeString("")
    nodes = tuple(_node(task_id, entries[task_id], edges[task_id]) for task_id in topological_order(edges))
    return _svg(Graph(name=str(document.get("name", "")), nodes=nodes), "preview")


def _known(names: Any, entries: dict[str, Any]) -> tuple[str, ...]:
    given = names if isinstance(names, list) else ()
    return tuple(dict.fromkeys(name for name in given if isinstance(name, str) and name in entries))


def _node(task_id: str, entry: dict[str, Any], depends_on: tuple[str, ...]) -> Node:
    kind = str(entry.get("task_name", ""))
    label = str(entry.get("description") or kind or task_id)
    return Node(id=task_id, label=label, task_name=kind, type=kind, depends_on=depends_on)


def _svg(graph: Graph, uid: str) -> SafeString:
    return SafeString(draw_svg(graph, uid=uid))  # every text in it is escaped where it is drawn
