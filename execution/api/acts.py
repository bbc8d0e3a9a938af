"""Acts on an instance or a task: 200 when done, 202 when the driver that holds it will take it up."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

from rest_framework.request import Request
from rest_framework.response import Response

from disttask_project.api.fields import Spec
from disttask_project.api.views import ApiView
from execution.api import shapes, specs
from execution.services import acts
from execution.services.performing import ActAnswer


class ActView(ApiView, ABC):
    """Common to all acts; `perform` is the one thing that differs."""

    tag = "acts"
    answers: ClassVar[Mapping[str, Any]] = {"POST": shapes.ACT}
    statuses: ClassVar[Mapping[str, int]] = {"POST": 200}
    may_be_pending = True

    def post(self, request: Request, instance_id: str, task_id: str = "") -> Response:
        answer = self.perform(self.body(), instance_id, task_id)
        return Response(answer.as_dict(), status=200 if answer.state == "done" else 202)

    @abstractmethod
    def perform(self, body: Mapping[str, Any], instance_id: str, task_id: str) -> ActAnswer: ...


class Retry(ActView):
    """Try every failed task of the instance again."""

    summaries: ClassVar[Mapping[str, str]] = {"POST": "Retry a transaction"}
    permissions: ClassVar[Mapping[str, str]] = {"POST": "execution.retry_instance"}
    bodies: ClassVar[Mapping[str, Spec]] = {"POST": specs.RETRY_INSTANCE}

    def perform(self, body: Mapping[str, Any], instance_id: str, task_id: str) -> ActAnswer:
        return acts.retry(instance_id=instance_id, actor=self.actor(), **body)


class RetryTask(ActView):
    """Try one task again now, with changed input or config if need be."""

    summaries: ClassVar[Mapping[str, str]] = {"POST": "Retry a task"}
    permissions: ClassVar[Mapping[str, str]] = {"POST": "execution.retry_instance"}
    bodies: ClassVar[Mapping[str, Spec]] = {"POST": specs.RETRY_TASK}

    def perform(self, body: Mapping[str, Any], instance_id: str, task_id: str) -> ActAnswer:
        return acts.retry(instance_id=instance_id, task_id=task_id, actor=self.actor(), **body)


class Skip(ActView):
    """Leave a task out; what depends on it goes on."""

    summaries: ClassVar[Mapping[str, str]] = {"POST": "Skip a task"}
    permissions: ClassVar[Mapping[str, str]] = {"POST": "execution.skip_task"}
    bodies: ClassVar[Mapping[str, Spec]] = {"POST": specs.ACT_WITH_REASON}

    def perform(self, body: Mapping[str, Any], instance_id: str, task_id: str) -> ActAnswer:
        return acts.skip(instance_id=instance_id, task_id=task_id, actor=self.actor(), **body)


class MarkSuccess(ActView):
    """Say that a task took effect, with the output that others read."""

    summaries: ClassVar[Mapping[str, str]] = {"POST": "Mark a task as successful"}
    permissions: ClassVar[Mapping[str, str]] = {"POST": "execution.mark_task_success"}
    bodies: ClassVar[Mapping[str, Spec]] = {"POST": specs.MARK_SUCCESS}

    def perform(self, body: Mapping[str, Any], instance_id: str, task_id: str) -> ActAnswer:
        return acts.mark_success(instance_id=instance_id, task_id=task_id, actor=self.actor(), **body)


class Cancel(ActView):
    """Start nothing more; calls in flight end first, unless forced."""

    summaries: ClassVar[Mapping[str, str]] = {"POST": "Cancel a transaction"}
    permissions: ClassVar[Mapping[str, str]] = {"POST": "execution.cancel_instance"}
    bodies: ClassVar[Mapping[str, Spec]] = {"POST": specs.CANCEL}

    def perform(self, body: Mapping[str, Any], instance_id: str, task_id: str) -> ActAnswer:
        return acts.cancel(instance_id=instance_id, actor=self.actor(), **body)


class Pause(ActView):
    """Start nothing more until `resume`."""

    summaries: ClassVar[Mapping[str, str]] = {"POST": "Pause a transaction"}
    permissions: ClassVar[Mapping[str, str]] = {"POST": "execution.cancel_instance"}
    bodies: ClassVar[Mapping[str, Spec]] = {"POST": specs.ACT}

    def perform(self, body: Mapping[str, Any], instance_id: str, task_id: str) -> ActAnswer:
        return acts.pause(instance_id=instance_id, actor=self.actor(), **body)


class Resume(ActView):
    """Go on where `pause` stopped."""

    summaries: ClassVar[Mapping[str, str]] = {"POST": "Resume a transaction"}
    permissions: ClassVar[Mapping[str, str]] = {"POST": "execution.cancel_instance"}
    bodies: ClassVar[Mapping[str, Spec]] = {"POST": specs.ACT}

    def perform(self, body: Mapping[str, Any], instance_id: str, task_id: str) -> ActAnswer:
        return acts.resume(instance_id=instance_id, actor=self.actor(), **body)


class Rerun(ActView):
    """Run a task and everything after it once more, each as a new run with a new key."""

    summaries: ClassVar[Mapping[str, str]] = {"POST": "Retry from here"}
    permissions: ClassVar[Mapping[str, str]] = {"POST": "execution.retry_instance"}
    bodies: ClassVar[Mapping[str, Spec]] = {"POST": specs.RERUN}

    def perform(self, body: Mapping[str, Any], instance_id: str, task_id: str) -> ActAnswer:
        return acts.rerun(instance_id=instance_id, task_id=task_id, actor=self.actor(), **body)


class Compensate(ActView):
    """Undo what was done, in reverse order: all of it, or some tasks."""

    summaries: ClassVar[Mapping[str, str]] = {"POST": "Compensate a transaction"}
    permissions: ClassVar[Mapping[str, str]] = {"POST": "execution.compensate_instance"}
    bodies: ClassVar[Mapping[str, Spec]] = {"POST": specs.COMPENSATE}

    def perform(self, body: Mapping[str, Any], instance_id: str, task_id: str) -> ActAnswer:
        given = {key: value for key, value in body.items() if value is not None}
        return acts.compensate(instance_id=instance_id, actor=self.actor(), **given)


class Close(ActView):
    """Accept a failure as final."""

    summaries: ClassVar[Mapping[str, str]] = {"POST": "Close a failed transaction"}
    permissions: ClassVar[Mapping[str, str]] = {"POST": "execution.cancel_instance"}
    bodies: ClassVar[Mapping[str, Spec]] = {"POST": specs.ACT_WITH_REASON}

    def perform(self, body: Mapping[str, Any], instance_id: str, task_id: str) -> ActAnswer:
        return acts.close(instance_id=instance_id, actor=self.actor(), **body)
