"""`/exceptions`: the inbox, one case and its retry."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Final

from rest_framework.request import Request
from rest_framework.response import Response

from disttask_project.api.fields import Field, Spec
from disttask_project.api.listing import PAGING, listed, page_request, whole
from disttask_project.api.shapes import list_of
from disttask_project.api.views import ApiView
from execution.api.shapes import ACT
from execution.api.specs import RETRY_TASK
from retries import services
from retries.api import shapes
from retries.models import ExceptionRecord
from retries.selectors import plain, records

LIST: Final[Spec] = {
    "handled": Field(kind="boolean"),
    "state": Field(many=True, choices=tuple(ExceptionRecord.State.values), description="joined by commas"),
    "flow_id": Field(max_length=36),
    "group_id": Field(max_length=64, description="the instance ID"),
    "instance_id": Field(max_length=64),
    "task_id": Field(max_length=128),
    "error_code": Field(max_length=128),
    "fingerprint": Field(max_length=32),
    "assignee": Field(max_length=150),
    "since": Field(kind="time", description="occurred at or after"),
    "until": Field(kind="time", description="occurred before"),
    **PAGING,
}
GROUPS: Final[Spec] = {"since": Field(kind="time"), "flow_id": Field(max_length=36)}


class Exceptions(ApiView):
    """What failed, the latest first."""

    tag = "exceptions"
    summaries: ClassVar[Mapping[str, str]] = {"GET": "List exceptions"}
    permissions: ClassVar[Mapping[str, str]] = {"GET": services.VIEW}
    filters: ClassVar[Mapping[str, Spec]] = {"GET": LIST}
    answers: ClassVar[Mapping[str, Any]] = {"GET": list_of(shapes.EXCEPTION)}

    def get(self, request: Request) -> Response:
        query = self.query()
        filters = records.ExceptionFilter(
            handled=query["handled"],
            state=query["state"] or (),
            flow_id=query["flow_id"],
            instance_id=query["instance_id"] or query["group_id"],
            task_id=query["task_id"],
            error_code=query["error_code"],
            fingerprint=query["fingerprint"],
            assignee=query["assignee"],
            since=query["since"],
            until=query["until"],
        )
        page = records.list_exceptions(filters=filters, asked=page_request(query))
        return Response(listed(page, plain.exception))


class ExceptionGroups(ApiView):
    """Open exceptions by fingerprint, the largest group first."""

    tag = "exceptions"
    summaries: ClassVar[Mapping[str, str]] = {"GET": "Group open exceptions"}
    permissions: ClassVar[Mapping[str, str]] = {"GET": services.VIEW}
    filters: ClassVar[Mapping[str, Spec]] = {"GET": GROUPS}
    answers: ClassVar[Mapping[str, Any]] = {"GET": list_of(shapes.EXCEPTION_GROUP)}

    def get(self, request: Request) -> Response:
        return Response(whole(records.groups(**self.query()), plain.group))


class GroupOfExceptions(ApiView):
    """One group: its records by state, who is at work on them, and until when."""

    tag = "exceptions"
    summaries: ClassVar[Mapping[str, str]] = {"GET": "Show a group of exceptions"}
    permissions: ClassVar[Mapping[str, str]] = {"GET": services.VIEW}
    answers: ClassVar[Mapping[str, Any]] = {"GET": shapes.GROUP_CASE}

    def get(self, request: Request, fingerprint: str) -> Response:
        self.query()
        return Response(plain.group_case(records.get_group(fingerprint)))


class ExceptionCase(ApiView):
    """One exception."""

    tag = "exceptions"
    summaries: ClassVar[Mapping[str, str]] = {"GET": "Show an exception"}
    permissions: ClassVar[Mapping[str, str]] = {"GET": services.VIEW}
    answers: ClassVar[Mapping[str, Any]] = {"GET": shapes.EXCEPTION}

    def get(self, request: Request, exception_id: str) -> Response:
        self.query()
        return Response(plain.exception(records.get_exception(exception_id)))


class RetryException(ApiView):
    """Retry the task that the exception is about."""

    tag = "exceptions"
    summaries: ClassVar[Mapping[str, str]] = {"POST": "Retry an exception's task"}
    permissions: ClassVar[Mapping[str, str]] = {"POST": "execution.retry_instance"}
    bodies: ClassVar[Mapping[str, Spec]] = {"POST": RETRY_TASK}
    answers: ClassVar[Mapping[str, Any]] = {"POST": ACT}
    may_be_pending = True

    def post(self, request: Request, exception_id: str) -> Response:
        answer = services.retry_exception(exception_id=exception_id, actor=self.actor(), **self.body())
        return Response(answer.as_dict(), status=200 if answer.state == "done" else 202)
