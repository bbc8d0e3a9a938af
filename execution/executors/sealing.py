"""The way out of every executor: what a target said, made fit to keep.

Text is cleaned of what no store keeps, secrets of the call are taken out by value, and sizes are capped.
"""

from __future__ import annotations

import traceback
from functools import lru_cache
from typing import Final

from disttask_project.kernel.json import JSON, clean_text, dumps
from disttask_project.kernel.messages import Message, text
from disttask_project.kernel.redaction import Redactor
from execution.domain.outcome import Failure, Sort, TaskFailed

MAX_MESSAGE: Final = 4_000  # characters of an error's text
_STACK: Final = 8_000
CUT: Final = "... (cut)"


def cut_text(value: str, limit: int = MAX_MESSAGE) -> str:
    """At most `limit` characters, marked where something was left out."""
    return value if len(value) <= limit else value[: limit - len(CUT)] + CUT


def outside_text(value: object, limit: int = MAX_MESSAGE) -> str:
    """Words of a peer or a library, made storable."""
    return cut_text(clean_text(str(value)), limit)


def sealed_value(value: JSON, secrets: tuple[str, ...], *, max_bytes: int | None = None) -> JSON:
    """A result without the call's secrets. Above `max_bytes` of JSON it becomes `{"cut": true, "text":
    ...}`.
    """
    if secrets:
        value = _redactor(secrets).value(value)
    if max_bytes is not None:
        written = dumps(value)
        if len(written) > max_bytes:
            return {"cut": True, "text": written[:max_bytes]}
    return value


def sealed_error(error: Exception, secrets: tuple[str, ...]) -> TaskFailed:
    """The same failure without the call's secrets; an error nobody foresaw becomes one, its stack cleaned too."""
    if isinstance(error, TaskFailed):
        failure = error.failure
    else:
        failure = Failure(
            sort=Sort.MAYBE_APPLIED,
            type=type(error).__name__,
            code="EXECUTOR_ERROR",
            message=text("The executor failed in a way it does not know: {error}", error=outside_text(error)),
            stack="".join(traceback.format_exception(error))[-_STACK:],
        )
    return TaskFailed(
        failure.sort,
        failure.code,
        _sealed_message(failure.message, secrets),
        type=failure.type,
        retry_after=failure.retry_after,
        response=sealed_value(failure.response, secrets),
        stack=_redactor(secrets).text(failure.stack),
    )


def _sealed_message(message: str, secrets: tuple[str, ...]) -> str:
    redactor = _redactor(secrets)
    if isinstance(message, Message):
        return Message(message.template, redactor.value(message.values))
    return redactor.text(message)


@lru_cache(maxsize=256)
def _redactor(secrets: tuple[str, ...]) -> Redactor:
    """Masks these values and nothing by name: a field called `phone` is data that flows pass on."""
    redactor = Redactor(names=())
    for secret in secrets:
        redactor.register(secret)
    return redactor
