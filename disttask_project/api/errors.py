"""The one table from an error to an HTTP answer; Django's own error pages under /api/ use it too."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, JsonResponse, UnreadablePostError
from django.views import defaults
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.views import set_rollback

from disttask_project.api.envelope import failure, request_id_of
from disttask_project.api.parsers import BodyTooLarge
from disttask_project.i18n import translated
from disttask_project.kernel import errors as kernel
from disttask_project.kernel.messages import Message, text

logger = logging.getLogger(__name__)

API_PREFIXES: Final = ("/api/", "/health", "/readyz", "/metrics")
RETRY_SECONDS: Final = 2  # what an Unavailable suggests: longer than a fail-over's first error, shorter than a page


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An error as HTTP says it."""

    status: int
    symbol: str
    message: str
    problems: tuple[kernel.Problem, ...] = ()
    headers: Mapping[str, str] | None = None


STATUSES: Final[tuple[tuple[type[kernel.DisttaskError], int], ...]] = (
    (kernel.Malformed, 400),
    (kernel.InvalidInput, 422),
    (kernel.NotFound, 404),
    (kernel.Forbidden, 403),
    (kernel.Conflict, 409),
    (kernel.TooMany, 429),
    (kernel.Unavailable, 503),
    (kernel.DisttaskError, 500),
)

# Faults of the protocol itself, before any service is asked: (class, status, symbol, message).
PROTOCOL: Final[tuple[tuple[type[Exception], int, str, Message], ...]] = (
    (exceptions.AuthenticationFailed, 401, "BAD_TOKEN", text("The token is not valid, has expired or was revoked.")),
    (
        exceptions.NotAuthenticated,
        401,
        "UNAUTHENTICATED",
        text("Sign in or send a token: Authorization: Bearer TOKEN."),
    ),
    (exceptions.PermissionDenied, 403, "FORBIDDEN", text("You may not do this.")),
    (PermissionDenied, 403, "FORBIDDEN", text("You may not do this.")),
    (exceptions.NotFound, 404, "NOT_FOUND", text("There is nothing at this address.")),
    (Http404, 404, "NOT_FOUND", text("There is nothing at this address.")),
    (exceptions.MethodNotAllowed, 405, "METHOD_NOT_ALLOWED", text("This method is not allowed here.")),
    (exceptions.NotAcceptable, 406, "NOT_ACCEPTABLE", text("Only JSON is offered here: Accept: application/json.")),
    (BodyTooLarge, 413, "BODY_TOO_LARGE", text("The body is too large.")),
    (RequestDataTooBig, 413, "BODY_TOO_LARGE", text("The body is too large.")),
    (
        exceptions.UnsupportedMediaType,
        415,
        "UNSUPPORTED_MEDIA_TYPE",
        text("Send JSON: Content-Type: application/json."),
    ),
    (exceptions.Throttled, 429, "TOO_MANY_REQUESTS", text("Too many requests. Ask again later.")),
    (exceptions.ParseError, 400, "MALFORMED", text("The body cannot be read.")),
    (UnreadablePostError, 400, "MALFORMED", text("The body cannot be read.")),
    (SuspiciousOperation, 400, "MALFORMED", text("The request cannot be read.")),
    (OperationalError, 503, "UNAVAILABLE", text("The database is away. Ask again in a moment.")),
    (InterfaceError, 503, "UNAVAILABLE", text("The database is away. Ask again in a moment.")),
)
INTERNAL: Final = text("Something went wrong on our side. Give this request ID to your administrator.")
NO_SLASH: Final = text("There is nothing at this address: paths have no slash at their end.")


def answer_for(error: Exception) -> Answer | None:
    """How HTTP says `error`, or None for one that is our own fault."""
    if isinstance(error, kernel.DisttaskError):
        status = next(status for kind, status in STATUSES if isinstance(error, kind))
        return Answer(
            status=status,
            symbol=error.symbol,
            message=translated(error.message),
            problems=error.problems,
            headers=_retry_after(error),
        )
    for kind, status, symbol, message in PROTOCOL:
        if isinstance(error, kind):
            told = getattr(error, "told", message)
            return Answer(status=status, symbol=symbol, message=translated(told), headers=_retry_after(error))
    return None


def handle(error: Exception, context: Mapping[str, Any]) -> Response:
    """DRF's exception handler: every error leaves in the envelope, and none as a bare 500."""
    set_rollback()
    answer = answer_for(error)
    if answer is None:
        logger.exception("api_error", exc_info=error)
        answer = Answer(status=500, symbol="INTERNAL", message=translated(INTERNAL))
    headers = dict(answer.headers or {})
    challenge = getattr(error, "auth_header", None)
    if challenge:
        headers["WWW-Authenticate"] = challenge
    return Response(
        body_of(answer, request_id=request_id_of(context.get("request"))), status=answer.status, headers=headers
    )


def body_of(answer: Answer, *, request_id: str) -> dict[str, Any]:
    """The envelope of an error, its problems in the active language."""
    problems = [
        {"loc": list(problem.loc), "code": problem.code, "message": translated(problem.message)}
        for problem in answer.problems
    ]
    return failure(
        status=answer.status,
        symbol=answer.symbol,
        message=answer.message,
        errors=problems,
        request_id=request_id,
    )


def not_found(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """`handler404`: the envelope under /api/, Django's page elsewhere."""
    if not _is_api(request):
        return defaults.page_not_found(request, exception)
    message = NO_SLASH if request.path.endswith("/") else text("There is nothing at this address.")
    return _django_answer(request, Answer(status=404, symbol="NOT_FOUND", message=translated(message)))


def server_error(request: HttpRequest) -> HttpResponseBase:
    """`handler500`."""
    if not _is_api(request):
        return defaults.server_error(request)
    return _django_answer(request, Answer(status=500, symbol="INTERNAL", message=translated(INTERNAL)))


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """`handler400`."""
    if not _is_api(request):
        return defaults.bad_request(request, exception)
    answer = answer_for(exception)
    return _django_answer(request, answer or Answer(status=400, symbol="MALFORMED", message=str(exception)))


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """`handler403`."""
    if not _is_api(request):
        return defaults.permission_denied(request, exception)
    answer = answer_for(exception)
    return _django_answer(request, answer or Answer(status=403, symbol="FORBIDDEN", message=str(exception)))


def _is_api(request: HttpRequest) -> bool:
    return request.path.startswith(API_PREFIXES)


def _django_answer(request: HttpRequest, answer: Answer) -> HttpResponse:
    body = body_of(answer, request_id=request_id_of(request))
    return JsonResponse(body, status=answer.status, json_dumps_params={"ensure_ascii": False})


def _retry_after(error: Exception) -> dict[str, str] | None:
    seconds: float | None = None
    if isinstance(error, kernel.TooMany):
        seconds = error.retry_after
    elif isinstance(error, exceptions.Throttled):
        seconds = getattr(error, "wait", None)
    elif isinstance(error, kernel.Unavailable | OperationalError | InterfaceError):
        seconds = RETRY_SECONDS
    return None if seconds is None else {"Retry-After": str(max(1, math.ceil(seconds)))}
