"""`/task-types` and `/stats`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, ClassVar, Final

from rest_framework.request import Request
from rest_framework.response import Response

from disttask_project.api.fields import Spec
from disttask_project.api.listing import whole
from disttask_project.api.shapes import list_of
from disttask_project.api.views import ApiView
from disttask_project.i18n import translated
from execution.api import shapes, specs
from execution.executors.base import Executor, executor_types
from execution.selectors import figures
from execution.services import trying

VIEW: Final = "execution.view_instance"


class TaskTypes(ApiView):
    """The registered executors, each with the schema of its config."""

    tag = "catalog"
    summaries: ClassVar[Mapping[str, str]] = {"GET": "List task types"}
    permissions: ClassVar[Mapping[str, str]] = {"GET": "flows.view_flow"}
    answers: ClassVar[Mapping[str, Any]] = {"GET": list_of(shapes.TASK_TYPE)}

    def get(self, request: Request) -> Response:
        self.query()
        return Response(whole(executor_types().values(), _task_type))


class TryTask(ApiView):
    """Call the target of a catalog entry, or of a bare type, once. What the target does is not undone."""

    tag = "catalog"
    summaries: ClassVar[Mapping[str, str]] = {"POST": "Try a task type with a real call"}
    permissions: ClassVar[Mapping[str, str]] = {"POST": trying.PERMISSION}
    bodies: ClassVar[Mapping[str, Spec]] = {"POST": specs.TRY}
    answers: ClassVar[Mapping[str, Any]] = {"POST": shapes.TRIED}

    def post(self, request: Request, name: str) -> Response:
        body = self.body()
        tried = trying.try_task(
            task_name=name,
            config=body["config"],
            input=body["input"],
            timeout_seconds=body["timeout_seconds"],
            reason=body["reason"],
            actor=self.actor(),
        )
        return Response(asdict(tried))


class Overview(ApiView):
    """How things stand: counts stop at `count_limit`, whatever the size of the store."""

    tag = "stats"
    summaries: ClassVar[Mapping[str, str]] = {"GET": "Figures of the whole"}
    permissions: ClassVar[Mapping[str, str]] = {"GET": VIEW}
    answers: ClassVar[Mapping[str, Any]] = {"GET": shapes.OVERVIEW}

    def get(self, request: Request) -> Response:
        self.query()
        now = datetime.now(UTC)
        return Response(
            {
                "open_by_status": figures.open_by_status(),
                "last_day": figures.last_day(now=now),
                "needs_attention": figures.needing_attention(),
                "drivers": figures.drivers(now=now),
                "calls_in_flight": figures.in_flight(now=now),
                "start_lag_seconds": figures.start_lag(now=now),
                "count_limit": figures.LIMIT,
            }
        )


class FlowFigures(ApiView):
    """The last 24 hours of one flow."""

    tag = "stats"
    summaries: ClassVar[Mapping[str, str]] = {"GET": "Figures of a flow"}
    permissions: ClassVar[Mapping[str, str]] = {"GET": VIEW}
    answers: ClassVar[Mapping[str, Any]] = {"GET": shapes.FLOW_FIGURES}

    def get(self, request: Request, flow_id: str) -> Response:
        self.query()
        return Response({"flow_id": flow_id, "last_day": figures.of_flow(flow_id, now=datetime.now(UTC))})


def _task_type(executor: type[Executor]) -> dict[str, Any]:
    return {
        "name": executor.name,
        "description": translated(executor.description),
        "idempotent": executor.idempotent,
        "config_schema": executor.config_model.model_json_schema(),
    }
