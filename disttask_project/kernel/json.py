"""JSON as we accept, store and compare it.

Accepted text is strict (RFC 8259) and more: no NaN, no duplicate keys, no integer beyond 64 bits, no NUL
and no lone surrogate, nesting at most 100 deep; so that every store keeps the same bytes and no peer reads
something else than we did (CPython's defaults accept all of these).
"""

from __future__ import annotations

import hashlib
import json
from typing import Any, Final

from disttask_project.kernel import messages
from disttask_project.kernel.errors import Malformed
from disttask_project.kernel.messages import Message

MAX_DEPTH: Final = 100
INT_MIN: Final = -(2**63)
INT_MAX: Final = 2**63 - 1

JSON = Any  # dict | list | str | int | float | bool | None; a recursive alias buys mypy nothing here


def loads(text: str | bytes) -> JSON:
    """Parse strictly; raises `Malformed` with a plain reason."""
    is_utf8 = isinstance(text, bytes)
    if isinstance(text, bytes):
        try:
            text = text.decode("utf-8")
        except UnicodeDecodeError as error:
            raise _malformed(messages.text("The body is not UTF-8 (byte {position}).", position=error.start)) from error
    try:
        value = json.loads(
            text,
            parse_constant=_refuse_constant,
            object_pairs_hook=_unique,
            parse_int=_bounded_int,
            parse_float=_finite,
        )
    except RecursionError as error:
        raise _malformed(messages.text("The JSON is nested too deeply.")) from error
    except json.JSONDecodeError as error:
        raise _malformed(
            messages.text(
                "Not valid JSON: {reason} at line {line}, column {column}.",
                reason=error.msg,
                line=error.lineno,
                column=error.colno,
            )
        ) from error
    if _may_be_faulty(text, is_utf8=is_utf8) and (fault := fault_in(value)):
        raise _malformed(messages.text("Not acceptable JSON: {fault}.", fault=fault))
    return value


def _may_be_faulty(text: str, *, is_utf8: bool) -> bool:
    """Whether a text that was parsed strictly can hold what `fault_in` looks for; most cannot, and need no walk.

    A NUL stands in no JSON string but as an escape; so does a lone surrogate in what was UTF-8 or is ASCII. Each
    level of nesting has a bracket of its own.
    """
    if "\\u" in text or not (is_utf8 or text.isascii()):
        return True
    return text.count("{") + text.count("[") > MAX_DEPTH


def loads_stored(text: str) -> JSON:
    """Read back what `dumps` wrote: checked when it was written, so nothing is checked again."""
    return json.loads(text)


def fault_in(value: JSON) -> Message | None:
    """What keeps a decoded value from being stored faithfully everywhere, or None. Iterative: depth is bounded."""
    stack: list[tuple[Any, int]] = [(value, 1)]
    while stack:
        item, depth = stack.pop()
        if depth > MAX_DEPTH:
            return messages.text("nesting deeper than {most}", most=MAX_DEPTH)
        if isinstance(item, str):
            fault = _text_fault(item)
            if fault:
                return fault
        elif isinstance(item, dict):
            for key, inner in item.items():
                if not isinstance(key, str):
                    return messages.text("a key that is not a string")
                fault = _text_fault(key)
                if fault:
                    return fault
                stack.append((inner, depth + 1))
        elif isinstance(item, list | tuple):
            stack.extend((inner, depth + 1) for inner in item)
        elif isinstance(item, float):
            if item != item or item in (float("inf"), float("-inf")):  # noqa: PLR0124  NaN is unlike itself
                return messages.text("a number that is not finite")
        elif isinstance(item, int) and not INT_MIN <= item <= INT_MAX:
            return messages.text("an integer beyond 64 bits (send it as a string)")
    return None


# Made once: `json.dumps` makes an encoder for every call with settings of its own.
_COMPACT: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)
_SORTED: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False, sort_keys=True)


class Encoded(str):
    """Text that `dumps` made: it is not made again."""

    __slots__ = ()


def dumps(value: JSON) -> str:
    """Compact text, keys in their own order, non-ASCII as it is."""
    return value if value.__class__ is Encoded else _COMPACT.encode(value)


def canonical(value: JSON) -> str:
    """Text for comparing: keys sorted, no spaces."""
    return _SORTED.encode(value)


def digest(value: JSON) -> str:
    """SHA-256 of the canonical text, hex."""
    return hashlib.sha256(canonical(value).encode()).hexdigest()


def clean_text(text: str) -> str:
    """Text from outside made storable everywhere: NUL and lone surrogates become U+FFFD."""
    if "\x00" in text:
        text = text.replace("\x00", "�")
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass").decode("utf-8", "replace")
    return text


def _text_fault(text: str) -> Message | None:
    if "\x00" in text:
        return messages.text("a NUL character")
    if text.isascii():
        return None
    try:
        text.encode()
    except UnicodeEncodeError:
        return messages.text("a lone surrogate")
    return None


def _refuse_constant(name: str) -> None:
    raise _malformed(messages.text("Not valid JSON: {name} is no JSON number.", name=name))


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise _malformed(
            messages.text("Not acceptable JSON: the key {key} stands twice in one object.", key=repr(twice))
        )
    return result


def _bounded_int(text: str) -> int:
    # 20 characters hold every 64-bit integer with its sign; longer ones would cost quadratic time to parse.
    if len(text) > 20 or not INT_MIN <= (number := int(text)) <= INT_MAX:
        raise _malformed(messages.text("Not acceptable JSON: an integer beyond 64 bits (send it as a string)."))
    return number


def _finite(text: str) -> float:
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise _malformed(messages.text("Not acceptable JSON: {number} is out of range.", number=text[:40]))
    return number


def _malformed(message: Message) -> Malformed:
    return Malformed(message, symbol="BAD_JSON")
