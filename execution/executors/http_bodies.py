"""A task's body as bytes: JSON, a form, or the parts of a multipart form."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Mapping
from hashlib import blake2b
from typing import Any, Final, Literal
from urllib.parse import urlencode

from disttask_project.kernel import json
from disttask_project.kernel.messages import text
from execution.domain.outcome import Sort, TaskFailed

Encoding = Literal["json", "form", "multipart"]
_FILE_KEYS: Final = frozenset({"filename", "content", "content_base64", "content_type"})
_QUOTED: Final = str.maketrans({'"': "%22", "\r": "%0D", "\n": "%0A"})


def encoded(body: json.JSON, encoding: Encoding, *, key: str) -> tuple[bytes, str]:
    """The bytes and their content type. Raises `TaskFailed` (refused). The same for the same `key`."""
    if encoding == "json":
        return _as_json(body)
    if not isinstance(body, Mapping):
        raise _bad_body(text("a form is made of an object, field by field"))
    if encoding == "form":
        return urlencode(list(pairs(body))).encode(), "application/x-www-form-urlencoded"
    return _as_parts(body, key)


def pairs(values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Scalars as text, lists as a repeated key, null left out, objects as JSON."""
    for key, value in values.items():
        for item in value if isinstance(value, list | tuple) else [value]:
            if item is not None:
                yield key, scalar_text(item) if not isinstance(item, Mapping | list | tuple) else json.dumps(item)


def scalar_text(value: Any) -> Any:
    """Numbers and truth values may stand where text is sent."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | float) else value


def _as_json(body: json.JSON) -> tuple[bytes, str]:
    if isinstance(body, str):
        looks_json = body.lstrip()[:1] in {"{", "["}
        return body.encode(), "application/json" if looks_json else "text/plain; charset=utf-8"
    return json.dumps(body).encode(), "application/json"


def _as_parts(body: Mapping[str, Any], key: str) -> tuple[bytes, str]:
    parts = [
        part
        for name, value in body.items()
        for item in (value if isinstance(value, list | tuple) else [value])
        if item is not None
        for part in [_part(name, item)]
    ]
    # The same boundary at every attempt, so that a target may compare bodies; no part may hold it.
    boundary = f"disttask-{blake2b(key.encode(), digest_size=12).hexdigest()}"
    while any(boundary.encode() in content for _, content in parts):
        boundary = f"disttask-{blake2b(boundary.encode(), digest_size=12).hexdigest()}"
    mark = f"--{boundary}".encode()
    lines = [b"\r\n".join((mark, head.encode(), b"", content, b"")) for head, content in parts]
    return b"".join((*lines, mark, b"--\r\n")), f"multipart/form-data; boundary={boundary}"


def _part(name: str, value: Any) -> tuple[str, bytes]:
    head = f'Content-Disposition: form-data; name="{name.translate(_QUOTED)}"'
    if isinstance(value, Mapping) and "filename" in value and _FILE_KEYS.issuperset(value):
        kind = str(value.get("content_type") or "application/octet-stream")
        if not kind.isascii() or not kind.isprintable():
            raise _bad_body(text("the content_type of {field} is none", field=name))
        filename = str(value["filename"]).translate(_QUOTED)
        return f'{head}; filename="{filename}"\r\nContent-Type: {kind}', _file_content(name, value)
    if isinstance(value, Mapping):
        return f"{head}\r\nContent-Type: application/json", json.dumps(value).encode()
    return head, str(scalar_text(value)).encode()


def _file_content(name: str, value: Mapping[str, Any]) -> bytes:
    coded = value.get("content_base64")
    if coded is None:
        content = value.get("content", "")
        return content.encode() if isinstance(content, str) else json.dumps(content).encode()
    try:
        return base64.b64decode(str(coded), validate=True)
    except (binascii.Error, ValueError) as error:
        raise _bad_body(text("the content_base64 of {field} is no base64", field=name)) from error


def _bad_body(reason: str) -> TaskFailed:
    return TaskFailed(Sort.REFUSED, "BAD_BODY", text("The body cannot be made: {reason}.", reason=reason))
