"""`/exceptions/{id}/...`: what people do about a record; nothing resumes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Final

from rest_framework.request import Request
from rest_framework.response import Response

from disttask_project.api.fields import Field, Spec
from disttask_project.api.listing import whole
from disttask_project.api.shapes import list_of
from disttask_project.api.views import ApiView
from disttask_project.i18n import translated
from disttask_project.kernel.errors import NotFound
from disttask_project.kernel.messages import text
from retries import services
from retries.api import shapes
from retries.models import ExceptionRecord
from retries.selectors import plain, records

MAY_REASON: Final[Spec] = {"reason": Field(default="", max_length=services.TEXT_LENGTH)}
REASON: Final[Spec] = {"reason": Field(required=True, min_length=1, max_length=services.TEXT_LENGTH)}
ASSIGNMENT: Final[Spec] = {
    "user": Field(max_length=150, description="username; without it: oneself"),
    "due_at": Field(kind="time", description="to be dealt with by then"),
    "taken_from": Field(default="", max_length=150, description="who has it now"),
}
RESOLUTION: Final[Spec] = {
    "resolution": Field(default="fixed_outside", choices=tuple(ExceptionRecord.Resolution.values))
}

# What of the body each act's service takes, under the service's own name.
GROUP_ACTS: Final[Mapping[str, Mapping[str, str]]] = {
    "acknowledge": {"reason": "reason"},
    "assign": {"reason": "reason", "user": "user", "due_at": "due_at", "taken_from": "taken_from"},
    "ignore": {"reason": "reason"},
    "handle": {"remark": "reason", "resolution": "resolution"},
}


class RecordAct(ApiView):
    """An act on one record, through its service."""

    tag = "exceptions"
    permissions: ClassVar[Mapping[str, str]] = {"POST": services.HANDLE}
    answers: ClassVar[Mapping[str, Any]] = {"POST": shapes.EXCEPTION}
    service: ClassVar[Callable[..., ExceptionRecord]]

    def post(self, request: Request, exception_id: str) -> Response:
        found = type(self).service(exception_id=exception_id, actor=self.actor(), **self.body())
        return Response(plain.exception(found))


class Acknowledge(RecordAct):
    """Say that it is seen; 409 names who was first."""

    summaries: ClassVar[Mapping[str, str]] = {"POST": "Acknowledge an exception"}
    bodies: ClassVar[Mapping[str, Spec]] = {"POST": MAY_REASON}
    service = services.acknowledge_exception


class Assign(RecordAct):
    """Give it to somebody, or take it. Who has it already is named in `taken_from`, else 409 says who."""

    summaries: ClassVar[Mapping[str, str]] = {"POST": "Assign an exception"}
    bodies: ClassVar[Mapping[str, Spec]] = {
        "POST": {**ASSIGNMENT, **MAY_REASON},
    }
    service = services.assign_exception


class Ignore(RecordAct):
    """Leave it alone until it occurs again."""

    summaries: ClassVar[Mapping[str, str]] = {"POST": "Ignore an exception"}
    bodies: ClassVar[Mapping[str, Spec]] = {"POST": REASON}
    service = services.ignore_exception


class Handle(RecordAct):
    """Mark as handled outside the engine; nothing resumes."""

    summaries: ClassVar[Mapping[str, str]] = {"POST": "Mark an exception as handled"}
    bodies: ClassVar[Mapping[str, Spec]] = {
        "POST": {
            "remark": Field(required=True, min_length=1, max_length=2000, example="refunded by hand, ticket 4711"),
            **RESOLUTION,
        }
    }
    service = services.handle_exception


class Reopen(RecordAct):
    """Put what a person closed back into the inbox."""

    summaries: ClassVar[Mapping[str, str]] = {"POST": "Reopen an exception"}
    bodies: ClassVar[Mapping[str, Spec]] = {"POST": REASON}
    service = services.reopen_exception


class Comments(ApiView):
    """What people wrote beside an exception, oldest first."""

    tag = "exceptions"
    summaries: ClassVar[Mapping[str, str]] = {"GET": "List comments", "POST": "Comment on an exception"}
    permissions: ClassVar[Mapping[str, str]] = {"GET": services.VIEW, "POST": services.HANDLE}
    bodies: ClassVar[Mapping[str, Spec]] = {
        "POST": {"comment": Field(required=True, min_length=1, max_length=services.TEXT_LENGTH)}
    }
    answers: ClassVar[Mapping[str, Any]] = {"GET": list_of(shapes.COMMENT), "POST": shapes.COMMENT}

    def get(self, request: Request, exception_id: str) -> Response:
        self.query()
        return Response(whole(records.comments_of(exception_id), plain.comment))

    def post(self, request: Request, exception_id: str) -> Response:
        written = services.comment_exception(exception_id=exception_id, actor=self.actor(), **self.body())
        return Response(plain.comment(written), status=201)


class GroupAct(ApiView):
    """One act on all that waits with one cause: `acknowledge`, `assign`, `ignore` or `handle`."""

    tag = "exceptions"
    summaries: ClassVar[Mapping[str, str]] = {"POST": "Act on a group of exceptions"}
    permissions: ClassVar[Mapping[str, str]] = {"POST": services.HANDLE}
    bodies: ClassVar[Mapping[str, Spec]] = {
        "POST": {
            "reason": Field(required=True, min_length=1, max_length=services.TEXT_LENGTH, description="or remark"),
            **ASSIGNMENT,
            **RESOLUTION,
        }
    }
    answers: ClassVar[Mapping[str, Any]] = {"POST": shapes.GROUP_OUTCOME}

    def post(self, request: Request, fingerprint: str, act: str) -> Response:
        body = self.body()
        if act not in GROUP_ACTS:
            raise NotFound(text("Groups know these acts: {acts}.", acts=", ".join(GROUP_ACTS)))
        given = {name: body[key] for name, key in GROUP_ACTS[act].items()}
        outcome = services.act_on_group(fingerprint=fingerprint, act=act, actor=self.actor(), **given)
        refused = [{"message": translated(message), "count": n} for message, n in outcome.refused.most_common(10)]
        return Response({"done": outcome.done, "left": outcome.left, "refused": refused})
