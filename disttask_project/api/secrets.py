"""`/secrets`: the encrypted store. Values go in and never come out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Final

from rest_framework.request import Request
from rest_framework.response import Response

from disttask_project.api.fields import Field, Spec
from disttask_project.api.listing import whole
from disttask_project.api.shapes import define, list_of
from disttask_project.api.views import ApiView
from disttask_project.kernel.times import rfc3339
from disttask_project.secretstore.models import StoredSecret
from disttask_project.secretstore.selectors import list_secrets
from disttask_project.secretstore.services import EDIT, delete_secret, set_secret

SECRET: Final = define(
    "Secret", name="string", note="string", created_at="time", updated_at="time", updated_user="string"
)
REMOVED: Final = define("SecretRemoved", name="string", deleted="boolean")
VALUE: Final[Spec] = {
    "value": Field(required=True, min_length=1, description="never shown again", example="s3cr3t-of-the-bank"),
    "note": Field(max_length=255, default="", description="what it is for"),
}


class Secrets(ApiView):
    """The stored secrets by name, without their values."""

    tag = "operations"
    summaries: ClassVar[Mapping[str, str]] = {"GET": "List the stored secrets"}
    permissions: ClassVar[Mapping[str, str]] = {"GET": "secretstore.view_storedsecret"}
    answers: ClassVar[Mapping[str, Any]] = {"GET": list_of(SECRET)}

    def get(self, request: Request) -> Response:
        self.query()
        return Response(whole(list_secrets(), _secret))


class Secret(ApiView):
    """One stored secret: put in, replaced or removed."""

    tag = "operations"
    summaries: ClassVar[Mapping[str, str]] = {"PUT": "Store or replace a secret", "DELETE": "Remove a secret"}
    permissions: ClassVar[Mapping[str, str]] = {"PUT": EDIT, "DELETE": EDIT}
    bodies: ClassVar[Mapping[str, Spec]] = {"PUT": VALUE}
    answers: ClassVar[Mapping[str, Any]] = {"PUT": SECRET, "DELETE": REMOVED}

    def put(self, request: Request, name: str) -> Response:
        body = self.body()
        return Response(_secret(set_secret(name=name, value=body["value"], note=body["note"], actor=self.actor())))

    def delete(self, request: Request, name: str) -> Response:
        delete_secret(name=name, actor=self.actor())
        return Response({"name": name, "deleted": True})


def _secret(row: StoredSecret) -> dict[str, Any]:
    return {
        "name": row.name,
        "note": row.note,
        "created_at": rfc3339(row.created_at),
        "updated_at": rfc3339(row.updated_at),
        "updated_user": row.updated_user,
    }
