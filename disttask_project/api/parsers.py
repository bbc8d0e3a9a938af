"""Bodies as JSON, read strictly and never beyond the limit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import IO, Any

from django.conf import settings
from rest_framework.exceptions import APIException
from rest_framework.parsers import BaseParser

from disttask_project.kernel import json
from disttask_project.kernel.messages import text


class BodyTooLarge(APIException):
    """More bytes than we read."""

    status_code = 413
    default_code = "body_too_large"

    def __init__(self, limit: int) -> None:
        super().__init__()
        # Not `detail`: DRF turns that into plain text at once, while ours is translated when it is rendered.
        self.told = text("The body is larger than {limit} bytes.", limit=limit)


class StrictJSONParser(BaseParser):
    """`kernel.json.loads`: no NaN, no key twice, no integer beyond 64 bits, depth bounded. An empty body is `{}`."""

    media_type = "application/json"

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        limit: int = settings.DISTTASK["API_MAX_BODY_BYTES"]
        content = stream.read(limit + 1)
        if len(content) > limit:
            raise BodyTooLarge(limit)
        return json.loads(content) if content.strip() else {}
