"""`/flows`: list, create, show, save, delete, activate."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Final

from rest_framework.request import Request
from rest_framework.response import Response

from disttask_project.api.fields import Spec
from disttask_project.api.listing import listed, page_request
from disttask_project.api.shapes import list_of
from disttask_project.api.views import ApiView
from flows import selectors, services
from flows.api import rendering, shapes, specs

VIEW: Final = "flows.view_flow"


class Flows(ApiView):
    """List flows, or make one; it is published at once unless `?draft=true`."""

    tag = "flows"
    summaries: ClassVar[Mapping[str, str]] = {"GET": "List flows", "POST": "Create a flow"}
    permissions: ClassVar[Mapping[str, str]] = {"GET": VIEW, "POST": services.EDIT}
    bodies: ClassVar[Mapping[str, Spec]] = {"POST": specs.CREATE}
    filters: ClassVar[Mapping[str, Spec]] = {"GET": specs.LIST, "POST": specs.DRAFT}
    answers: ClassVar[Mapping[str, Any]] = {"GET": list_of(shapes.FLOW_ROW), "POST": shapes.FLOW}
    statuses: ClassVar[Mapping[str, int]] = {"POST": 201}

    def get(self, request: Request) -> Response:
        query = self.query()
        filters = selectors.FlowFilter(
            name=query["name"],
            flow_type=query["flow_type"],
            is_active=query["is_active"],
            search=query["search"],
        )
        return Response(listed(selectors.list_flows(filters=filters, asked=page_request(query)), rendering.flow_row))

    def post(self, request: Request) -> Response:
        made = services.create_flow(**self.body(), draft=self.query()["draft"], actor=self.actor())
        return self.created(rendering.flow(made))


class Flow(ApiView):
    """One flow. Saving makes a new version; deleting is soft: its instances stay."""

    tag = "flows"
    summaries: ClassVar[Mapping[str, str]] = {
        "GET": "Show a flow",
        "PUT": "Save a new version",
        "DELETE": "Delete a flow",
    }
    permissions: ClassVar[Mapping[str, str]] = {"GET": VIEW, "PUT": services.EDIT, "DELETE": services.PUBLISH}
    bodies: ClassVar[Mapping[str, Spec]] = {"PUT": specs.SAVE}
    filters: ClassVar[Mapping[str, Spec]] = {"PUT": specs.DRAFT, "DELETE": specs.REASON}
    answers: ClassVar[Mapping[str, Any]] = {"GET": shapes.FLOW, "PUT": shapes.FLOW, "DELETE": shapes.DELETED}

    def get(self, request: Request, flow_id: str) -> Response:
        self.query()
        return Response(rendering.flow(selectors.get_flow(flow_id)))

    def put(self, request: Request, flow_id: str) -> Response:
        services.save_version(flow_id=flow_id, **self.body(), draft=self.query()["draft"], actor=self.actor())
        return Response(rendering.flow(selectors.get_flow(flow_id)))

    def delete(self, request: Request, flow_id: str) -> Response:
        services.delete_flow(flow_id=flow_id, reason=self.query()["reason"], actor=self.actor())
        return Response({"id": flow_id, "deleted": True})


class Activate(ApiView):
    """Let new instances start."""

    tag = "flows"
    summaries: ClassVar[Mapping[str, str]] = {"POST": "Activate a flow"}
    permissions: ClassVar[Mapping[str, str]] = {"POST": services.PUBLISH}
    bodies: ClassVar[Mapping[str, Spec]] = {"POST": specs.REASON}
    answers: ClassVar[Mapping[str, Any]] = {"POST": shapes.FLOW_ROW}
    is_active = True

    def post(self, request: Request, flow_id: str) -> Response:
        services.set_active(flow_id=flow_id, is_active=self.is_active, actor=self.actor(), **self.body())
        return Response(rendering.flow_row(selectors.get_flow(flow_id)))


class Deactivate(Activate):
    """Let no new instances start; running ones go on."""

    summaries: ClassVar[Mapping[str, str]] = {"POST": "Deactivate a flow"}
    is_active = False


class Validate(ApiView):
    """Everything wrong with a definition, without saving it. The body is the definition itself."""

    tag = "flows"
    summaries: ClassVar[Mapping[str, str]] = {"POST": "Validate a definition"}
    permissions: ClassVar[Mapping[str, str]] = {"POST": VIEW}
    answers: ClassVar[Mapping[str, Any]] = {"POST": shapes.REPORT}
    free_bodies: ClassVar[Mapping[str, Any]] = {"POST": specs.EXAMPLE}

    def post(self, request: Request) -> Response:
        self.query()
        document = request.data
        if isinstance(document, dict) and set(document) == {"definition"}:
            document = document["definition"]
        return Response(rendering.report(selectors.validate_definition(document)))
