"""From the text of a variable, or a TOML value, to the value a key promises."""

from __future__ import annotations

import ipaddress
from typing import Any

from disttask_project.config.keys import Key

TRUE = frozenset({"1", "true", "yes", "on"})
FALSE = frozenset({"0", "false", "no", "off"})


def parse(key: Key, raw: Any) -> Any:
    """The value of `key`; raises `ValueError` saying what was expected."""
    value = _PARSERS[key.kind](raw)
    if key.choices and value not in key.choices:
        raise ValueError(f"expected one of {', '.join(key.choices)}")
    if isinstance(value, int | float) and not isinstance(value, bool):
        if key.minimum is not None and value < key.minimum:
            raise ValueError(f"must be at least {key.minimum:g}")
        if key.maximum is not None and value > key.maximum:
            raise ValueError(f"must be at most {key.maximum:g}")
    return value


def _text(raw: Any) -> str:
    if not isinstance(raw, str):
        raise ValueError("expected a string")
    return raw


def _choice(raw: Any) -> str:
    return _text(raw).lower()


def _integer(raw: Any) -> int:
    if isinstance(raw, bool) or not isinstance(raw, int | str):
        raise ValueError("expected a whole number")
    try:
        return int(raw)
    except ValueError as error:
        raise ValueError("expected a whole number") from error


def _number(raw: Any) -> float:
    if isinstance(raw, bool) or not isinstance(raw, int | float | str):
        raise ValueError("expected a number")
    try:
        value = float(raw)
    except ValueError as error:
        raise ValueError("expected a number") from error
    if value != value or value in (float("inf"), float("-inf")):  # noqa: PLR0124  NaN is unlike itself
        raise ValueError("expected a finite number")
    return int(value) if value.is_integer() else value


def _boolean(raw: Any) -> bool:
    # django-environ takes every unknown word for False, so that a misspelt "ture" would pass in silence.
    if isinstance(raw, bool):
        return raw
    word = raw.strip().lower() if isinstance(raw, str) else None
    if word in TRUE:
        return True
    if word in FALSE:
        return False
    raise ValueError("expected true or false")


def _list(raw: Any) -> list[str]:
    if isinstance(raw, str):
        return [item.strip() for item in raw.split(",") if item.strip()]
    if isinstance(raw, list) and all(isinstance(item, str) for item in raw):
        return list(raw)
    raise ValueError("expected a list of strings (in the environment: separated by commas)")


def _networks(raw: Any) -> list[str]:
    items = _list(raw)
    for item in items:
        try:
            ipaddress.ip_network(item)
        except ValueError as error:
            raise ValueError(f"{item!r} is no network such as 10.0.0.0/8") from error
    return items


_PARSERS = {
    "text": _text,
    "choice": _choice,
    "integer": _integer,
    "number": _number,
    "boolean": _boolean,
    "list": _list,
    "networks": _networks,
}
