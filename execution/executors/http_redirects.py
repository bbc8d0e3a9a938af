"""Following redirects, where a task asks for it: few, each judged like the first, nothing secret to strangers."""

from __future__ import annotations

import dataclasses
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from yarl import URL

from execution.domain.outcome import Sort, TaskFailed
from execution.executors.http_client import Answer, Exchange

MOST: Final = 3
_SEE_OTHER: Final = frozenset({301, 302, 303})
_SAME_REQUEST: Final = frozenset({307, 308})
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
# What may go to another origin; whatever else a task has set may be a credential.
_HARMLESS: Final = frozenset(
    {"user-agent", "accept", "accept-encoding", "accept-language", "content-type"}
    | {"idempotency-key", "x-request-id", "traceparent"}
)
Sign = Callable[[str, URL, bytes | None], Mapping[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """`sign` adds credentials for one request; `is_secret`: the body holds a secret of the call."""

    method: str
    url: URL
    headers: Mapping[str, str]
    body: bytes | None = None
    deadline: float
    sign: Sign | None = None
    tls: ssl.SSLContext | None = None
    is_secret: bool = False
    applied: bool = field(default=False)  # an earlier one may have had its effect already


async def send(exchange: Exchange, request: Request) -> Answer:
    headers = request.headers
    if request.sign is not None:
        headers = {**headers, **request.sign(request.method, request.url, request.body)}
    return await exchange(
        request.method, request.url, headers=headers, body=request.body, deadline=request.deadline, tls=request.tls
    )


async def follow(
    exchange: Exchange, request: Request, *, most: int, check: Callable[[str], URL]
) -> tuple[Answer, Request]:
    """The last answer, and the request that led to it. `check` judges each URL. Raises `TaskFailed`.

    What cannot be followed is left as it is: a redirect too many, one without or with an unusable place, one to
    plain http from https, one that would carry a secret to another origin.
    """
    for left in range(min(most, MOST), -1, -1):
        try:
            answer = await send(exchange, request)
            following = _following(request, answer, check) if left else None
        except TaskFailed as error:
            if request.applied:
                raise _unsure(error) from error
            raise
        if following is None:
            return answer, request
        request = following
    raise AssertionError("the last turn has returned")


def _following(request: Request, answer: Answer, check: Callable[[str], URL]) -> Request | None:
    location = answer.headers.get("Location", "").strip()
    if answer.status not in _SEE_OTHER | _SAME_REQUEST or not location:
        return None
    try:
        url = check(str(request.url.join(URL(location))))
    except ValueError:
        return None
    if request.url.scheme == "https" and url.scheme == "http":
        return None
    changed = _as_get(request) if answer.status in _SEE_OTHER else request
    if url.origin() != request.url.origin():
        if changed.is_secret and changed.body is not None:
            return None
        headers = {name: value for name, value in changed.headers.items() if name.lower() in _HARMLESS}
        changed = dataclasses.replace(changed, headers=headers, sign=None, tls=None)
    return dataclasses.replace(changed, url=url.with_fragment(None))


def _as_get(request: Request) -> Request:
    """As browsers and RFC 9110 have it: the answer to what was done is read elsewhere."""
    if request.method in _SAFE:
        return request
    headers = {name: value for name, value in request.headers.items() if name.lower() != "content-type"}
    return dataclasses.replace(request, method="GET", body=None, headers=headers, applied=True)


def _unsure(error: TaskFailed) -> TaskFailed:
    """A failure after a request that the target answered with "see there": that one may have had its effect."""
    failure = error.failure
    return TaskFailed(
        Sort.MAYBE_APPLIED,
        failure.code,
        failure.message,
        type=failure.type,
        retry_after=failure.retry_after,
        response=failure.response,
        stack=failure.stack,
    )
