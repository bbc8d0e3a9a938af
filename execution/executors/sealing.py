"""The way out of every executor: what a target said, made fit to keep.

Text is cleaned of what no store keeps, secrets of the call are taken out by value, and sizes are capped.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from typing import Any, Final
from urllib.parse import quote, quote_plus

from disttask_project.kernel.json import JSON, clean_text, dumps
from disttask_project.kernel.messages import Message
from execution.domain.outcome import TaskFailed

MAX_MESSAGE: Final = 4_000  # characters of an error's text
CUT: Final = "... (cut)"
HIDDEN: Final = "***"
_URLSAFE: Final = str.maketrans("+/", "-_")


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
        value = redact(value, secrets)
    if max_bytes is not None:
        text = dumps(value)
        if len(text) > max_bytes:
            return {"cut": True, "text": text[:max_bytes]}
    return value


def sealed_failure(error: TaskFailed, secrets: tuple[str, ...]) -> TaskFailed:
    """The same failure without the call's secrets."""
    if not secrets:
        return error
    failure = error.failure
    return TaskFailed(
        failure.sort,
        failure.code,
        _sealed_message(failure.message, secrets),
        type=failure.type,
        retry_after=failure.retry_after,
        response=sealed_value(failure.response, secrets),
        stack=redact(failure.stack, secrets),
    )


def _sealed_message(message: str, secrets: tuple[str, ...]) -> str:
    if isinstance(message, Message):
        values: Mapping[str, Any] = redact(message.values, secrets)
        return Message(message.template, dict(values))
    sealed: str = redact(message, secrets)
    return sealed


def redact(value: Any, secrets: Iterable[str]) -> Any:
    """The value with every secret, in any form a peer may echo it, replaced."""
    forms = sorted({form for secret in secrets for form in _forms(secret)}, key=len, reverse=True)
    return _redacted(value, forms)


def _forms(secret: str) -> Iterable[str]:
    encoded = base64.b64encode(secret.encode()).decode()
    return (
        secret,
        dumps(secret)[1:-1],
        quote(secret, safe=""),
        quote_plus(secret),
        encoded,
        encoded.rstrip("="),
        encoded.translate(_URLSAFE).rstrip("="),
    )


def _redacted(value: Any, forms: list[str]) -> Any:
    if isinstance(value, str):
        for form in forms:
            value = value.replace(form, HIDDEN)
        return value
    if isinstance(value, Mapping):
        return {_redacted(key, forms): _redacted(item, forms) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_redacted(item, forms) for item in value]
    return value
