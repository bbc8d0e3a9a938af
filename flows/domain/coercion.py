"""A value made what an input field says it is; nothing is lost on the way, or it is refused."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from disttask_project.kernel.json import INT_MAX, INT_MIN, JSON
from disttask_project.kernel.messages import Message, text
from flows.domain.problems import Loc, Problems

MAX_DECIMAL_DIGITS: Final = 100
_WHOLE = re.compile(r"[+-]?\d{1,19}")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?")
_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)")


class _Refused(Exception):
    def __init__(self, code: str, message: Message) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def coerced(value: JSON, type_: str, loc: Loc, problems: Problems) -> JSON:
    """`value` as a field of `type_`; what is wrong with it goes to `problems`, each with its path."""
    if type_.startswith("[]"):
        return _list(value, type_[2:], loc, problems)
    try:
        return _CONVERTERS[type_](value)
    except _Refused as refused:
        problems.add(loc, refused.code, refused.message)
        return None


def _list(value: JSON, element: str, loc: Loc, problems: Problems) -> JSON:
    if not isinstance(value, list):
        problems.add(loc, "wrong_type", text("Must be a list."))
        return None
    return [coerced(item, element, (*loc, index), problems) for index, item in enumerate(value)]


def _wrong(message: Message) -> _Refused:
    return _Refused("wrong_type", message)


def _string(value: JSON) -> str:
    """Numbers and booleans have one text each; lists, objects and null have none."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float) and math.isfinite(value):
        return repr(value)
    raise _wrong(text("Must be a string."))


def _int(value: JSON) -> int:
    number = _whole(value)
    if number is None and isinstance(value, float):
        raise _Refused("would_lose", text("Must be a whole number; {value} would not stay the same.", value=value))
    if number is None:
        raise _wrong(text("Must be a whole number."))
    if not INT_MIN <= number <= INT_MAX:
        raise _Refused("out_of_range", text("Must be a whole number of 64 bits; send larger ones as a decimal."))
    return number


def _whole(value: JSON) -> int | None:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, float) and value.is_integer() and abs(value) <= 2**53:
        return int(value)
    if isinstance(value, str) and _WHOLE.fullmatch(value.strip()):
        return int(value)
    return None


def _float(value: JSON) -> float:
    if isinstance(value, int) and not isinstance(value, bool):
        number = _of_int(value)
    elif isinstance(value, float):
        number = value
    elif isinstance(value, str) and len(value) <= 400 and _NUMBER.fullmatch(value.strip()):
        number = float(value)
    else:
        raise _wrong(text("Must be a number."))
    if not math.isfinite(number):
        raise _Refused("out_of_range", text("Must be a finite number."))
    return number


def _of_int(value: int) -> float:
    if INT_MIN <= value <= INT_MAX and int(float(value)) == value:
        return float(value)
    raise _Refused(
        "would_lose", text("{value} cannot be kept exactly as a floating-point number.", value=str(value)[:40])
    )


def _decimal(value: JSON) -> str:
    """A decimal travels as a string, written as it came: 1.10 stays 1.10."""
    if isinstance(value, str):
        written = value.strip()
    elif isinstance(value, int | float) and not isinstance(value, bool):
        written = repr(value)
    else:
        raise _wrong(text("Must be a decimal number, best sent as a string."))
    try:
        number = Decimal(written) if len(written) <= MAX_DECIMAL_DIGITS + 10 else Decimal("NaN")
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite() or not _NUMBER.fullmatch(written) or abs(number.adjusted()) > MAX_DECIMAL_DIGITS:
        raise _wrong(text("Must be a decimal number, best sent as a string."))
    return format(number, "f")


def _bool(value: JSON) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.strip().lower() in ("true", "false"):
        return value.strip().lower() == "true"
    if isinstance(value, int | float) and value in (0, 1):
        return bool(value)
    raise _wrong(text("Must be true or false."))


def _object(value: JSON) -> dict[str, Any]:
    if isinstance(value, dict):
        return value
    raise _wrong(text("Must be an object."))


def _array(value: JSON) -> list[Any]:
    if isinstance(value, list):
        return value
    raise _wrong(text("Must be a list."))


def _time(value: JSON) -> str:
    if isinstance(value, str) and _TIME.fullmatch(value.strip()):
        written = value.strip()
        try:
            datetime.fromisoformat(written.upper())
        except ValueError:
            pass
        else:
            return written.replace(" ", "T").upper()
    raise _wrong(text("Must be a time with its zone, like 2026-11-23T08:00:00Z or 2026-11-23T16:00:00+08:00."))


_CONVERTERS: Final[dict[str, Callable[[JSON], JSON]]] = {
    "string": _string,
    "int": _int,
    "int64": _int,
    "float": _float,
    "float64": _float,
    "decimal": _decimal,
    "bool": _bool,
    "object": _object,
    "array": _array,
    "time": _time,
    "*": lambda value: value,
}
