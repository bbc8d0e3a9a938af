"""`/task-definitions` and `/schemas/flow`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, ClassVar, Final

from rest_framework.request import Request
from rest_framework.response import Response

from disttask_project.api.fields import Spec
from disttask_project.api.listing import whole
from disttask_project.api.shapes import list_of
from disttask_project.api.views import ApiView
from disttask_project.kernel.errors import Conflict
from disttask_project.kernel.messages import text
from flows import cataloguing, selectors
from flows.api import rendering, shapes, specs
from flows.domain.definition import document_schema

VIEW: Final = "flows.view_taskdefinition"


class TaskDefinitions(ApiView):
    """The task catalog: entries of the code, which are read-only, and your own."""

    tag = "catalog"
    summaries: ClassVar[Mapping[str, str]] = {"GET": "List the task catalog", "POST": "Add a catalog entry"}
    permissions: ClassVar[Mapping[str, str]] = {"GET": VIEW, "POST": cataloguing.EDIT_CATALOG}
    bodies: ClassVar[Mapping[str, Spec]] = {"POST": specs.TASK_DEFINITION}
    answers: ClassVar[Mapping[str, Any]] = {
        "GET": list_of(shapes.TASK_DEFINITION),
        "POST": shapes.TASK_DEFINITION,
    }
    statuses: ClassVar[Mapping[str, int]] = {"POST": 201}

    def get(self, request: Request) -> Response:
        self.query()
        return Response(whole(selectors.list_task_definitions(), rendering.task_definition))

    def post(self, request: Request) -> Response:
        body = self.body()
        if any(row.name == body["name"] for row in selectors.list_task_definitions()):
            raise Conflict(
                text("The catalog has an entry named {name} already.", name=body["name"]),
                symbol="TASK_DEFINITION_TAKEN",
            )
        return self.created(rendering.task_definition(_saved(self, body["name"], body)))


class TaskDefinition(ApiView):
    """One catalog entry; flows keep the form they were saved with."""

    tag = "catalog"
    summaries: ClassVar[Mapping[str, str]] = {
        "GET": "Show a catalog entry",
        "PUT": "Change a catalog entry",
        "DELETE": "Remove a catalog entry",
    }
    permissions: ClassVar[Mapping[str, str]] = {
        "GET": VIEW,
        "PUT": cataloguing.EDIT_CATALOG,
        "DELETE": cataloguing.EDIT_CATALOG,
    }
    bodies: ClassVar[Mapping[str, Spec]] = {"PUT": specs.TASK_DEFINITION_CHANGE}
    filters: ClassVar[Mapping[str, Spec]] = {"DELETE": specs.REASON}
    answers: ClassVar[Mapping[str, Any]] = {
        "GET": shapes.TASK_DEFINITION,
        "PUT": shapes.TASK_DEFINITION,
        "DELETE": shapes.DELETED,
    }

    def get(self, request: Request, name: str) -> Response:
        self.query()
        return Response(rendering.task_definition(selectors.get_task_definition(name)))

    def put(self, request: Request, name: str) -> Response:
        selectors.get_task_definition(name)
        return Response(rendering.task_definition(_saved(self, name, self.body())))

    def delete(self, request: Request, name: str) -> Response:
        cataloguing.delete_task_definition(name=name, reason=self.query()["reason"], actor=self.actor())
        return Response({"id": name, "deleted": True})


class TaskDefinitionUse(ApiView):
    """Flows whose current version has a task of this entry: an edit reaches them at their next save."""

    tag = "catalog"
    summaries: ClassVar[Mapping[str, str]] = {"GET": "List where a catalog entry is used"}
    permissions: ClassVar[Mapping[str, str]] = {"GET": VIEW}
    answers: ClassVar[Mapping[str, Any]] = {"GET": list_of(shapes.ENTRY_USE)}

    def get(self, request: Request, name: str) -> Response:
        self.query()
        selectors.get_task_definition(name)
        return Response(whole(selectors.flows_using(name), rendering.entry_use))


class Catalog(ApiView):
    """The entries that people made, as one document: to keep, to compare, to bring to another installation."""

    tag = "catalog"
    summaries: ClassVar[Mapping[str, str]] = {"GET": "Export the task catalog", "POST": "Import a task catalog"}
    permissions: ClassVar[Mapping[str, str]] = {"GET": VIEW, "POST": cataloguing.EDIT_CATALOG}
    filters: ClassVar[Mapping[str, Spec]] = {"POST": specs.IMPORT}
    free_bodies: ClassVar[Mapping[str, Any]] = {"POST": specs.CATALOG_EXAMPLE}
    answers: ClassVar[Mapping[str, Any]] = {"GET": shapes.CATALOG, "POST": shapes.IMPORTED}

    def get(self, request: Request) -> Response:
        self.query()
        return Response(cataloguing.export_catalog())

    def post(self, request: Request) -> Response:
        query = self.query()
        told = cataloguing.import_catalog(document=request.data, actor=self.actor(), dry_run=query["dry_run"])
        return Response({"dry_run": query["dry_run"], "entries": [asdict(each) for each in told]})


class FlowSchema(ApiView):
    """The JSON Schema of a flow definition, for editors."""

    tag = "catalog"
    summaries: ClassVar[Mapping[str, str]] = {"GET": "The schema of flow definitions"}
    permissions: ClassVar[Mapping[str, str]] = {"GET": "flows.view_flow"}
    answers: ClassVar[Mapping[str, Any]] = {"GET": shapes.SCHEMA}

    def get(self, request: Request) -> Response:
        self.query()
        return Response(document_schema())


def _saved(view: ApiView, name: str, body: Mapping[str, Any]) -> Any:
    return cataloguing.save_task_definition(
        name=name,
        type=body["type"],
        description=body["description"],
        config=body["config"] or {},
        input_fields=body["input_fields"] or [],
        example=body["example"],
        actor=view.actor(),
    )
