"""A graph in the form that was asked for: JSON in the envelope, SVG and Mermaid as they are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from django.http import HttpResponse
from rest_framework.response import Response

from disttask_project.api.shapes import array_of, define
from flows.domain.drawing import Graph, draw_svg, to_json, to_mermaid

NODE: Final = define(
    "GraphNode",
    id="string",
    name="string",
    task_name="string",
    type="string",
    layer="integer",
    rank="number",
    status="string",
)
EDGE: Final = define("GraphEdge", **{"from": "string", "to": "string"})
GRAPH: Final = define("Graph", name="string", nodes=array_of(NODE), edges=array_of(EDGE))
RAW: Final[Mapping[str, Any]] = {"image/svg+xml": {"type": "string"}, "text/plain": {"type": "string"}}


def drawn(graph: Graph, form: str, statuses: Mapping[str, str] | None = None) -> Response | HttpResponse:
    """`form`: json, svg or mermaid."""
    if form == "svg":
        picture = draw_svg(graph, statuses=statuses, standalone=True)
        return HttpResponse(picture, content_type="image/svg+xml; charset=utf-8")
    if form == "mermaid":
        return HttpResponse(to_mermaid(graph, statuses=statuses), content_type="text/plain; charset=utf-8")
    return Response(to_json(graph, statuses=statuses))
