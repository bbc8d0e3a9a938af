"""The one shape of every answer: `{code, message, data, request_id}`, failures with `error` and `errors` too."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from rest_framework.renderers import BaseRenderer, BrowsableAPIRenderer

from disttask_project.kernel.times import rfc3339


def success(data: Any, *, request_id: str, message: str = "success") -> dict[str, Any]:
    return {"code": 0, "message": message, "data": data, "request_id": request_id}


def failure(
    *, status: int, symbol: str, message: str, errors: Sequence[Mapping[str, Any]] = (), request_id: str = ""
) -> dict[str, Any]:
    return {
        "code": status,
        "message": message,
        "data": None,
        "error": symbol,
        "errors": list(errors),
        "request_id": request_id,
    }


def request_id_of(request: Any) -> str:
    """The id that the middleware gave this request (also sent back as X-Request-ID)."""
    return str(getattr(request, "request_id", "") or "")


class EnvelopeRenderer(BaseRenderer):
    """JSON in the envelope; a response that is an error carries its envelope already."""

    media_type = "application/json"
    format = "json"
    charset = None

    def render(
        self,
        data: Any,
        accepted_media_type: str | None = None,
        renderer_context: Mapping[str, Any] | None = None,
    ) -> bytes:
        context = renderer_context or {}
        response = context.get("response")
        if response is not None and response.status_code == 204:
            return b""
        if not (response is not None and response.exception):
            data = success(data, request_id=request_id_of(context.get("request")))
        indent = context.get("indent")
        separators = (", ", ": ") if indent else (",", ":")
        return json.dumps(
            data, ensure_ascii=False, indent=indent, separators=separators, default=_encode, allow_nan=False
        ).encode()


class BrowsableRenderer(BrowsableAPIRenderer):
    """DRF's page for people in a browser, with an example in the raw form and links to console and documentation."""

    template = "rest_framework/disttask.html"

    def get_raw_data_form(self, data: Any, view: Any, method: str, request: Any) -> Any:
        form_class_instance = super().get_raw_data_form(data, view, method, request)
        example = view.example_body(method) if hasattr(view, "example_body") else None
        if form_class_instance and example:
            field = form_class_instance.fields["_content"]
            field.initial = json.dumps(example, ensure_ascii=False, indent=2)
        return form_class_instance


def _encode(value: Any) -> Any:
    if isinstance(value, datetime):
        return rfc3339(value)
    if isinstance(value, Decimal | date):
        return str(value)
    return str(value)
