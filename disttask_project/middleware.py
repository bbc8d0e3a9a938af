"""One id for everything a request causes: taken from the caller or made here, logged, returned, recorded."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Final

import structlog
from django.http import HttpRequest, HttpResponseBase

from disttask_project.kernel.ids import new_id

HEADER: Final = "X-Request-ID"
# Printable, no spaces, nothing that a log, a header or a page would have to quote; as long as our columns.
_VALID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/+=@-]{0,63}")
_QUIET: Final = ("/health", "/healthz", "/readyz", "/metrics", "/static/")
_CALLBACK: Final = re.compile(r"(/callbacks/)[^/]+")

logger = structlog.get_logger("disttask.http")


class RequestContextMiddleware:
    """Sets `request.request_id`, binds it for every log line, answers with it, logs one line a request."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        given = request.headers.get(HEADER, "")
        request_id = given if _VALID.fullmatch(given) else new_id()
        request.request_id = request_id  # type: ignore[attr-defined]
        # A thread of the server handles many requests: nothing of the last one may stay.
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request_id)
        started = time.perf_counter()
        response = self.get_response(request)
        response.headers[HEADER] = request_id
        self._log(request, response, time.perf_counter() - started)
        structlog.contextvars.clear_contextvars()
        return response

    @staticmethod
    def _log(request: HttpRequest, response: HttpResponseBase, seconds: float) -> None:
        quiet = request.path.startswith(_QUIET) and response.status_code < 500
        write = logger.debug if quiet else logger.info
        write(
            "request",
            method=request.method,
            path=_CALLBACK.sub(r"\1***", request.path),
            status=response.status_code,
            ms=round(seconds * 1000, 1),
            user=_user(request),
        )


def _user(request: HttpRequest) -> str | None:
    # Only if somebody asked who it is: a log line must not cost a session query.
    user = getattr(request, "_cached_user", None)
    return user.get_username() if user is not None and user.is_authenticated else None
