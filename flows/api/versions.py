"""`/flows/{id}/versions`, `/diff`, `/graph`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Final

from django.http import HttpResponse
from rest_framework.request import Request
from rest_framework.response import Response

from disttask_project.api.fields import Spec
from disttask_project.api.listing import whole
from disttask_project.api.shapes import list_of
from disttask_project.api.views import ApiView
from flows import selectors, services
from flows.api import rendering, shapes, specs
from flows.api.graphs import GRAPH, RAW, drawn

VIEW: Final = "flows.view_flow"


class Versions(ApiView):
    """All versions of a flow, the latest first."""

    tag = "flows"
    summaries: ClassVar[Mapping[str, str]] = {"GET": "List the versions of a flow"}
    permissions: ClassVar[Mapping[str, str]] = {"GET": VIEW}
    answers: ClassVar[Mapping[str, Any]] = {"GET": list_of(shapes.VERSION_ROW)}

    def get(self, request: Request, flow_id: str) -> Response:
        self.query()
        selectors.get_flow(flow_id)
        return Response(whole(selectors.list_versions(flow_id), rendering.version_row))


class Version(ApiView):
    """One version with its definition."""

    tag = "flows"
    summaries: ClassVar[Mapping[str, str]] = {"GET": "Show a version"}
    permissions: ClassVar[Mapping[str, str]] = {"GET": VIEW}
    answers: ClassVar[Mapping[str, Any]] = {"GET": shapes.VERSION}

    def get(self, request: Request, flow_id: str, number: int) -> Response:
        self.query()
        selectors.get_flow(flow_id)
        return Response(rendering.version(selectors.get_version(flow_id, number)))


class Publish(ApiView):
    """Make a version the current one: a draft for the first time, or an older one again."""

    tag = "flows"
    summaries: ClassVar[Mapping[str, str]] = {"POST": "Publish a version"}
    permissions: ClassVar[Mapping[str, str]] = {"POST": services.PUBLISH}
    bodies: ClassVar[Mapping[str, Spec]] = {"POST": specs.REASON}
    answers: ClassVar[Mapping[str, Any]] = {"POST": shapes.VERSION}

    def post(self, request: Request, flow_id: str, number: int) -> Response:
        version = services.publish_version(flow_id=flow_id, number=number, actor=self.actor(), **self.body())
        return Response(rendering.version(version))


class Diff(ApiView):
    """What changed between two versions."""

    tag = "flows"
    summaries: ClassVar[Mapping[str, str]] = {"GET": "Compare two versions"}
    permissions: ClassVar[Mapping[str, str]] = {"GET": VIEW}
    filters: ClassVar[Mapping[str, Spec]] = {"GET": specs.DIFF}
    answers: ClassVar[Mapping[str, Any]] = {"GET": shapes.DIFF}

    def get(self, request: Request, flow_id: str) -> Response:
        query = self.query()
        selectors.get_flow(flow_id)
        return Response(rendering.diff(selectors.diff_versions(flow_id, query["from"], query["to"])))


class Graph(ApiView):
    """The tasks of a version and their dependencies."""

    tag = "flows"
    summaries: ClassVar[Mapping[str, str]] = {"GET": "Draw a flow"}
    permissions: ClassVar[Mapping[str, str]] = {"GET": VIEW}
    filters: ClassVar[Mapping[str, Spec]] = {"GET": specs.GRAPH}
    answers: ClassVar[Mapping[str, Any]] = {"GET": GRAPH}
    raw_answers: ClassVar[Mapping[str, Any]] = {"GET": RAW}

    def get(self, request: Request, flow_id: str) -> Response | HttpResponse:
        query = self.query()
        flow = selectors.get_flow(flow_id)
        number = query["version"] or (flow.current.number if flow.current else flow.latest_number)
        return drawn(selectors.version_graph(selectors.get_version(flow_id, number)), query["format"])
