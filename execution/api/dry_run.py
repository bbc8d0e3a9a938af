"""`/flows/{id}/dry-run`: what would follow a failure, played by the engine's core without calling anything."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from rest_framework.request import Request
from rest_framework.response import Response

from disttask_project.api.fields import Field, Spec
from disttask_project.api.shapes import array_of, define
from disttask_project.api.views import ApiView
from execution.selectors.failures import failure_matrix
from flows import selectors

DRILL = define(
    "Drill",
    task_id="string",
    outcome="string",
    ran="names",
    undone=array_of({"type": "array", "items": {"type": "string"}}),
    nothing_to_undo="names",
    repeated="names",
    status="string",
    closed="boolean",
    waits_for="string",
)
MATRIX = define(
    "FailureMatrix",
    version="integer",
    tasks="integer",
    played="integer",
    is_sample="boolean",
    no_undo="names",
    no_key="names",
    drills=array_of(DRILL),
)


class DryRun(ApiView):
    """Every task failing for good, and with an unknown outcome: what ran, what is undone, how it ends."""

    tag = "flows"
    summaries: ClassVar[Mapping[str, str]] = {"POST": "Play the failures of a flow"}
    permissions: ClassVar[Mapping[str, str]] = {"POST": "flows.view_flow"}
    bodies: ClassVar[Mapping[str, Spec]] = {
        "POST": {
            "failures": Field(kind="boolean", default=True, description="false: only what holds without playing"),
            "version": Field(kind="integer", minimum=1, description="default: the current one"),
        }
    }
    answers: ClassVar[Mapping[str, Any]] = {"POST": MATRIX}

    def post(self, request: Request, flow_id: str) -> Response:
        body = self.body()
        version = selectors.chosen_version(selectors.get_flow(flow_id), body["version"])
        matrix = failure_matrix(selectors.compiled_version(version.pk), play=body["failures"])
        return Response({"version": version.number, **matrix.as_dict()})
