"""`/descriptor-sets`: what gRPC services take and give, for rpc tasks whose servers do not say it themselves."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any, ClassVar, Final

from rest_framework.request import Request
from rest_framework.response import Response

from disttask_project.api.fields import Spec
from disttask_project.api.listing import whole
from disttask_project.api.shapes import list_of
from disttask_project.api.views import ApiView
from disttask_project.kernel.errors import InvalidInput, Problem
from disttask_project.kernel.messages import text
from flows import describing
from flows.api import shapes, specs

VIEW: Final = "flows.view_descriptorset"


class DescriptorSets(ApiView):
    """The descriptor sets of the task catalog, the newest first; of several with one service the newest counts."""

    tag = "catalog"
    summaries: ClassVar[Mapping[str, str]] = {"GET": "List the descriptor sets", "POST": "Upload a descriptor set"}
    permissions: ClassVar[Mapping[str, str]] = {"GET": VIEW, "POST": describing.EDIT}
    bodies: ClassVar[Mapping[str, Spec]] = {"POST": specs.DESCRIPTOR_SET}
    answers: ClassVar[Mapping[str, Any]] = {
        "GET": list_of(shapes.DESCRIPTOR_SET_ROW),
        "POST": shapes.DESCRIPTOR_SET,
    }
    statuses: ClassVar[Mapping[str, int]] = {"POST": 201}

    def get(self, request: Request) -> Response:
        self.query()
        return Response(whole(describing.list_descriptor_sets(), describing.shown_set))

    def post(self, request: Request) -> Response:
        body = self.body()
        row, _ = describing.put_descriptor_set(content=_decoded(body["content"]), name=body["name"], actor=self.actor())
        return self.created(describing.shown_with_uses(row))


class DescriptorSet(ApiView):
    """One descriptor set, by the SHA-256 of its bytes."""

    tag = "catalog"
    summaries: ClassVar[Mapping[str, str]] = {
        "GET": "Show a descriptor set and where it is used",
        "DELETE": "Remove a descriptor set",
    }
    permissions: ClassVar[Mapping[str, str]] = {"GET": VIEW, "DELETE": describing.EDIT}
    filters: ClassVar[Mapping[str, Spec]] = {"DELETE": specs.REASON}
    answers: ClassVar[Mapping[str, Any]] = {"GET": shapes.DESCRIPTOR_SET, "DELETE": shapes.DELETED}

    def get(self, request: Request, digest: str) -> Response:
        self.query()
        return Response(describing.shown_with_uses(describing.get_descriptor_set(digest)))

    def delete(self, request: Request, digest: str) -> Response:
        describing.remove_descriptor_set(digest=digest, reason=self.query()["reason"], actor=self.actor())
        return Response({"id": digest, "deleted": True})


def _decoded(content: str) -> bytes:
    try:
        return base64.b64decode(content, validate=True)
    except (binascii.Error, ValueError) as error:
        message = text("Must be base64.")
        problem = Problem(loc=("content",), code="bad_value", message=message)
        raise InvalidInput(message, problems=[problem]) from error
