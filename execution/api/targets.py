"""`/targets`: the places that tasks call, their breakers and limits."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar, Final

from rest_framework.request import Request
from rest_framework.response import Response

from disttask_project.api.fields import Field, Spec
from disttask_project.api.listing import whole
from disttask_project.api.shapes import list_of
from disttask_project.api.views import ApiView
from execution.api import shapes, specs
from execution.selectors import plain, targets
from execution.services import targets as services

VIEW: Final = "execution.view_target"
FORCE: Final[Spec] = {
    "reason": specs.REQUIRED_REASON,
    "until": Field(kind="time", description="without it: until further notice", example="2026-12-01T04:00:00Z"),
}
LIMITS: Final[Spec] = {
    "reason": specs.REQUIRED_REASON,
    "concurrency": Field(kind="integer", minimum=0, description="calls in flight; 0: none, null: as configured"),
    "rate": Field(kind="number", minimum=0, description="calls begun a second; 0: none, null: as configured"),
}


class Targets(ApiView):
    """Those that need a look first, then the latest called; at most 500."""

    tag = "targets"
    summaries: ClassVar[Mapping[str, str]] = {"GET": "List targets"}
    permissions: ClassVar[Mapping[str, str]] = {"GET": VIEW}
    answers: ClassVar[Mapping[str, Any]] = {"GET": list_of(shapes.TARGET)}

    def get(self, request: Request) -> Response:
        self.query()
        return Response(whole(targets.list_targets(now=datetime.now(UTC)), plain.target))


class Target(ApiView):
    """One target; its id is the task type and the address: `http:bank.example:443`."""

    tag = "targets"
    summaries: ClassVar[Mapping[str, str]] = {"GET": "Show a target"}
    permissions: ClassVar[Mapping[str, str]] = {"GET": VIEW}
    answers: ClassVar[Mapping[str, Any]] = {"GET": shapes.TARGET}

    def get(self, request: Request, target_id: str) -> Response:
        self.query()
        return Response(plain.target(targets.get_target(target_id, now=datetime.now(UTC))))


class TargetAct(ApiView, ABC):
    """Common to the acts; `perform` is the one thing that differs."""

    tag = "targets"
    permissions: ClassVar[Mapping[str, str]] = {"POST": services.PERMISSION}
    bodies: ClassVar[Mapping[str, Spec]] = {"POST": FORCE}
    answers: ClassVar[Mapping[str, Any]] = {"POST": shapes.TARGET}
    statuses: ClassVar[Mapping[str, int]] = {"POST": 200}

    def post(self, request: Request, target_id: str) -> Response:
        self.perform(target_id, self.body())
        return Response(plain.target(targets.get_target(target_id, now=datetime.now(UTC))))

    @abstractmethod
    def perform(self, target_id: str, body: Mapping[str, Any]) -> None: ...


class Open(TargetAct):
    """Send it nothing, until a time or until further notice; tasks are parked and spend no attempt."""

    summaries: ClassVar[Mapping[str, str]] = {"POST": "Open the breaker of a target"}

    def perform(self, target_id: str, body: Mapping[str, Any]) -> None:
        services.open_target(target_id=target_id, actor=self.actor(), **body)


class Close(TargetAct):
    """Let calls pass again; with a time, whatever its calls come to before then."""

    summaries: ClassVar[Mapping[str, str]] = {"POST": "Close the breaker of a target"}

    def perform(self, target_id: str, body: Mapping[str, Any]) -> None:
        services.close_target(target_id=target_id, actor=self.actor(), **body)


class Limits(TargetAct):
    """Set both limits of a target; what is left out is as the configuration says."""

    summaries: ClassVar[Mapping[str, str]] = {"POST": "Limit a target"}
    bodies: ClassVar[Mapping[str, Spec]] = {"POST": LIMITS}

    def perform(self, target_id: str, body: Mapping[str, Any]) -> None:
        services.limit_target(target_id=target_id, actor=self.actor(), **body)
