"""Values of expressions as text."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any


def display(value: Any) -> str:
    """A value as text, as `string(...)` and `%s` show it."""
    if isinstance(value, str):
        return value
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, float):
        return f"{value:.17g}" if float(f"{value:.15g}") != value else f"{value:.15g}"
    if isinstance(value, datetime | timedelta):
        return rfc3339(value) if isinstance(value, datetime) else seconds_text(value)
    if isinstance(value, bytes | bytearray):
        return bytes(value).decode("utf-8", "replace")
    if isinstance(value, list):
        return "[" + ", ".join(map(display, value)) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{display(key)}: {display(value[key])}" for key in sorted(value, key=str)) + "}"
    return str(getattr(value, "value", value))


def rfc3339(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def seconds_text(span: timedelta) -> str:
    """A duration as CEL writes it: `3661s`, `1.5s`."""
    micros = span // timedelta(microseconds=1)
    sign, micros = ("-", -micros) if micros < 0 else ("", micros)
    fraction = f".{micros % 1_000_000:06d}".rstrip("0") if micros % 1_000_000 else ""
    return f"{sign}{micros // 1_000_000}{fraction}s"
