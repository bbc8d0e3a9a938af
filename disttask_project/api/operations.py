"""`/audit` and `/tokens`: who did what, and the caller's own tokens."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Final

from rest_framework.request import Request
from rest_framework.response import Response

from disttask_project.access.models import ApiToken
from disttask_project.access.services import revoke_token
from disttask_project.api.fields import Field, Spec
from disttask_project.api.listing import PAGING, listed, page_request, whole
from disttask_project.api.shapes import define, list_of
from disttask_project.api.views import ApiView
from disttask_project.audit.models import AuditEntry
from disttask_project.audit.selectors import AuditFilter, list_entries
from disttask_project.kernel.times import rfc3339

AUDIT_LIST: Final[Spec] = {
    "actor": Field(max_length=150),
    "act": Field(max_length=64),
    "object_type": Field(max_length=64),
    "object_id": Field(max_length=160),
    "source": Field(max_length=16),
    "since": Field(kind="time"),
    "until": Field(kind="time"),
    **PAGING,
}
AUDIT_ENTRY: Final = define(
    "AuditEntry",
    id="string",
    at="time",
    actor="string",
    source="string",
    act="string",
    object_type="string",
    object_id="string",
    reason="string",
    before="any",
    after="any",
    request_id="string",
    address="string",
)
TOKEN: Final = define("Token", key="string", name="string", created_at="time", expires_at="time?")


class Audit(ApiView):
    """The operations log, the latest first."""

    tag = "operations"
    summaries: ClassVar[Mapping[str, str]] = {"GET": "Read the operations log"}
    permissions: ClassVar[Mapping[str, str]] = {"GET": "audit.view_auditentry"}
    filters: ClassVar[Mapping[str, Spec]] = {"GET": AUDIT_LIST}
    answers: ClassVar[Mapping[str, Any]] = {"GET": list_of(AUDIT_ENTRY)}

    def get(self, request: Request) -> Response:
        query = self.query()
        named = {key: value for key, value in query.items() if key not in PAGING}
        return Response(listed(list_entries(filters=AuditFilter(**named), asked=page_request(query)), _entry))


class Tokens(ApiView):
    """The caller's own tokens, without their secrets."""

    tag = "operations"
    summaries: ClassVar[Mapping[str, str]] = {"GET": "List your tokens"}
    answers: ClassVar[Mapping[str, Any]] = {"GET": list_of(TOKEN)}

    def get(self, request: Request) -> Response:
        self.query()
        rows = ApiToken.objects.filter(user=request.user).order_by("-created")[:200]
        return Response(whole(rows, _token))


class Token(ApiView):
    """Revoke a token: your own, or anybody's with the permission for it."""

    tag = "operations"
    summaries: ClassVar[Mapping[str, str]] = {"DELETE": "Revoke a token"}
    statuses: ClassVar[Mapping[str, int]] = {"DELETE": 200}

    def delete(self, request: Request, key: str) -> Response:
        revoke_token(token_key=key, actor=self.actor())
        return Response({"key": key, "revoked": True})


def _entry(row: AuditEntry) -> dict[str, Any]:
    return {
        "id": row.pk,
        "at": rfc3339(row.at),
        "actor": row.actor,
        "source": row.source,
        "act": row.act,
        "object_type": row.object_type,
        "object_id": row.object_id,
        "reason": row.reason,
        "before": row.before,
        "after": row.after,
        "request_id": row.request_id,
        "address": row.address,
    }


def _token(row: ApiToken) -> dict[str, Any]:
    return {
        "key": row.token_key,
        "name": row.name,
        "created_at": rfc3339(row.created),
        "expires_at": rfc3339(row.expiry),
    }
