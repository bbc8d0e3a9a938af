"""What happened and why: graph, timeline, diagnosis."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar, Final

from django.http import HttpResponse
from rest_framework.request import Request
from rest_framework.response import Response

from disttask_project.api.fields import Spec
from disttask_project.api.listing import whole
from disttask_project.api.shapes import list_of
from disttask_project.api.views import ApiView
from execution.api import shapes, specs
from execution.selectors import compensation, diagnosis, instances, plain, tasks, timeline
from flows.api.graphs import GRAPH, RAW, drawn
from flows.selectors import version_graph

VIEW: Final = "execution.view_instance"


class Diagnosis(ApiView):
    """What failed, the acts that can mend it in order of safety, and why it is not moving."""

    tag = "transactions"
    summaries: ClassVar[Mapping[str, str]] = {"GET": "Diagnose a transaction"}
    permissions: ClassVar[Mapping[str, str]] = {"GET": VIEW}
    answers: ClassVar[Mapping[str, Any]] = {"GET": shapes.DIAGNOSIS}

    def get(self, request: Request, instance_id: str) -> Response:
        self.query()
        detail = tasks.instance_detail(instance_id)
        cause = diagnosis.cause(detail)
        waiting = diagnosis.waiting_reason(detail, now=datetime.now(UTC))
        return Response(
            {
                "instance_id": instance_id,
                "status": detail.instance.status,
                "needs_attention": detail.instance.needs_attention,
                "cause": None if cause is None else plain.cause(cause),
                "waiting": None if waiting is None else plain.waiting(waiting),
            }
        )


class CompensationPlan(ApiView):
    """What `compensate` would undo now, step by step; what has nothing to undo; what stands in the way."""

    tag = "transactions"
    summaries: ClassVar[Mapping[str, str]] = {"GET": "Show what would be undone"}
    permissions: ClassVar[Mapping[str, str]] = {"GET": VIEW}
    answers: ClassVar[Mapping[str, Any]] = {"GET": shapes.COMPENSATION_PLAN}

    def get(self, request: Request, instance_id: str) -> Response:
        self.query()
        return Response(plain.compensation_plan(compensation.plan(tasks.instance_detail(instance_id))))


class Timeline(ApiView):
    """Attempts and the waits between them, in order of their start."""

    tag = "transactions"
    summaries: ClassVar[Mapping[str, str]] = {"GET": "Show the timeline of a transaction"}
    permissions: ClassVar[Mapping[str, str]] = {"GET": VIEW}
    answers: ClassVar[Mapping[str, Any]] = {"GET": list_of(shapes.SEGMENT)}

    def get(self, request: Request, instance_id: str) -> Response:
        self.query()
        segments = timeline.timeline(instances.get_instance(instance_id))
        return Response(whole(segments, plain.segment))


class Graph(ApiView):
    """The tasks and their dependencies with live status: JSON in the envelope, SVG and Mermaid as they are."""

    tag = "transactions"
    summaries: ClassVar[Mapping[str, str]] = {"GET": "Draw a transaction"}
    permissions: ClassVar[Mapping[str, str]] = {"GET": VIEW}
    filters: ClassVar[Mapping[str, Spec]] = {"GET": specs.GRAPH}
    answers: ClassVar[Mapping[str, Any]] = {"GET": GRAPH}
    raw_answers: ClassVar[Mapping[str, Any]] = {"GET": RAW}

    def get(self, request: Request, instance_id: str) -> Response | HttpResponse:
        form = self.query()["format"]
        detail = tasks.instance_detail(instance_id)
        return drawn(version_graph(detail.instance.version), form, {task.task_id: task.status for task in detail.tasks})
