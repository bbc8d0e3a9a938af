"""What a database gives back, as JSON."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from typing import Any, Final

from disttask_project.kernel import json

MAX_BYTES: Final = 1024 * 1024


def as_rows(columns: Sequence[str], raw: Iterable[Sequence[Any]]) -> tuple[list[dict[str, Any]], bool]:
    """Rows as objects, and whether some were left out because all together passed 1 MiB."""
    rows: list[dict[str, Any]] = []
    size = 0
    for values in raw:
        row = {column: as_json(value) for column, value in zip(columns, values, strict=True)}
        size += len(json.dumps(row))
        if size > MAX_BYTES:
            return rows, True
        rows.append(row)
    return rows, False


def as_json(value: Any) -> json.JSON:
    """One value: decimals and large integers as strings, times in RFC 3339, bytes as text or base64."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return json.clean_text(value)
    if isinstance(value, int):
        return value if json.INT_MIN <= value <= json.INT_MAX else str(value)
    if isinstance(value, float):
        return str(value) if json.fault_in(value) else value
    return _other(value)


def _other(value: Any) -> json.JSON:
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, bytes | bytearray | memoryview):
        raw = bytes(value)
        try:
            return json.clean_text(raw.decode("utf-8"))
        except UnicodeDecodeError:
            return base64.b64encode(raw).decode()
    if isinstance(value, Mapping):
        return {str(key): as_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set):
        return [as_json(item) for item in value]
    return json.clean_text(str(value))
