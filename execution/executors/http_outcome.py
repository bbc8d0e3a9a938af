"""What an HTTP answer means: its value, and how a refusal is sorted. Shared by http and rpc's http-json
form.
"""

from __future__ import annotations

import codecs
import time
from collections.abc import Iterable
from email.utils import parsedate_to_datetime
from typing import Any, Final

from disttask_project.kernel import json
from disttask_project.kernel.errors import Malformed
from disttask_project.kernel.messages import text
from disttask_project.kernel.redaction import MASK
from execution.domain.outcome import Sort, TaskFailed
from execution.executors.http_client import Answer

_NOT_NOW: Final = frozenset({408, 425, 429})
_NOBODY_KNOWS: Final = frozenset({502, 504})  # an intermediary speaks; the target behind it may have done it
_HIDDEN: Final = frozenset({"set-cookie", "set-cookie2"})
StatusRange = tuple[int, int]


def answer_value(answer: Answer) -> dict[str, Any]:
    """The task's result: `{status, headers, body}`, with `truncated: true` where the body was cut."""
    headers: dict[str, str] = {}
    for name, raw in answer.headers.items():
        key = name.lower()
        value = MASK if key in _HIDDEN else json.clean_text(raw)
        headers[key] = f"{headers[key]}, {value}" if key in headers else value
    result: dict[str, Any] = {
        "status": answer.status,
        "headers": headers,
        "body": body_value(answer, headers.get("content-type", "")),
    }
    if answer.cut:
        result["truncated"] = True
    return result


def body_value(answer: Answer, content_type: str) -> json.JSON:
    """JSON parsed; what is no JSON, or none that can be stored faithfully, stays text; nothing is None."""
    if not answer.body:
        return None
    kind, _, parameters = content_type.partition(";")
    kind = kind.strip().lower()
    is_json = kind == "application/json" or kind.endswith("+json")
    if is_json or (kind in {"", "text/plain", "text/json"} and answer.body.lstrip()[:1] in {b"{", b"["}):
        try:
            return json.loads(answer.body if not parameters else _decoded(answer.body, parameters))
        except Malformed:
            pass  # what the target sent is kept as it was sent
    return json.clean_text(_decoded(answer.body, parameters))


def _decoded(raw: bytes, parameters: str) -> str:
    for part in parameters.split(";"):
        name, _, value = part.partition("=")
        if name.strip().lower() == "charset":
            try:
                # UTF-8 with a byte order mark is common from some platforms, and JSON forbids the mark.
                codec = codecs.lookup(value.strip().strip("\"'"))
                return raw.decode(codec.name, "replace").removeprefix("\ufeff")
            except (LookupError, ValueError, UnicodeError):
                break
    return raw.decode("utf-8", "replace").removeprefix("\ufeff")


def status_failure(answer: Answer, value: dict[str, Any], *, was_applied: bool = False) -> TaskFailed:
    """A status that is no success, sorted; the answer is kept with it.

    `was_applied`: it answers the request after a redirect of one that may have had its effect.
    """
    status = answer.status
    if was_applied or status < 200 or status in _NOBODY_KNOWS:
        sort = Sort.MAYBE_APPLIED
    elif status in _NOT_NOW or status >= 500:
        sort = Sort.REFUSED_NOW
    else:
        sort = Sort.REFUSED
    if 300 <= status < 400:
        message = text("The target answered {status}: this redirect is not followed.", status=status)
    else:
        message = text("The target answered {status} {reason}.", status=status, reason=answer.reason)
    return TaskFailed(
        sort,
        f"HTTP_{status}",
        message,
        type="HttpStatus",
        retry_after=retry_after(answer.headers.get("Retry-After", "")),
        response=value,
    )


def broken_answer(answer: Answer, value: dict[str, Any]) -> TaskFailed:
    """A success whose body ended before its end: what was asked is done, what came of it is not known."""
    return TaskFailed(
        Sort.MAYBE_APPLIED,
        "BROKEN_RESPONSE",
        text(
            "The target answered {status}, but its answer broke off: {reason}.",
            status=answer.status,
            reason=answer.broken,
        ),
        type="BrokenResponse",
        response=value,
    )


def retry_after(header: str) -> float | None:
    """Seconds that a `Retry-After` asks for, in either of its forms; None where it says nothing readable."""
    header = header.strip()
    if not header:
        return None
    if header.isascii() and header.isdigit():
        return float(header[:9])
    try:
        when = parsedate_to_datetime(header)
    except (ValueError, TypeError):
        return None
    return max(0.0, when.timestamp() - time.time())


def is_success(status: int, ranges: Iterable[StatusRange]) -> bool:
    return any(first <= status <= last for first, last in ranges)
