"""The strings extension of CEL.

Written here, not taken from the evaluator: there `s.replace("x", s)` may ask for a terabyte, here every result
counts against the evaluation's allowance.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from cel_expr_python import cel

from flows.domain.allowance import made, spend
from flows.domain.celdeclare import function, member
from flows.domain.celdisplay import display

_INT: Final = cel.Type.INT
_STRING: Final = cel.Type.STRING


def _char_at(text: str, at: int) -> str:
    if not 0 <= at <= len(text):
        raise ValueError(f"charAt: {at} is outside a text of {len(text)}")
    return text[at : at + 1]


def _index_of(text: str, part: str, start: int = 0) -> int:
    if not 0 <= start <= len(text):
        raise ValueError(f"indexOf: {start} is outside a text of {len(text)}")
    return text.find(part, start)


def _last_index_of(text: str, part: str, start: int | None = None) -> int:
    if start is None:
        return text.rfind(part)
    if not 0 <= start <= len(text):
        raise ValueError(f"lastIndexOf: {start} is outside a text of {len(text)}")
    return text.rfind(part, 0, start + len(part))


def _join(parts: Sequence[Any], between: str = "") -> str:
    if not all(isinstance(part, str) for part in parts):
        raise ValueError("join: a list of strings is needed")
    spend(sum(map(len, parts)) + len(between) * max(len(parts) - 1, 0))
    return between.join(parts)


def _replace(text: str, old: str, new: str, limit: int = -1) -> str:
    count = text.count(old)
    if limit >= 0:
        count = min(count, limit)
    spend(len(text) + count * max(len(new) - len(old), 0))
    return text.replace(old, new, limit)


def _split(text: str, between: str, limit: int = -1) -> list[str]:
    spend(len(text) + 24)
    if limit == 0:
        return []
    if between:
        parts = text.split(between, limit - 1 if limit > 0 else -1)
    else:
        parts = list(text)
        if 0 < limit < len(parts):
            parts = [*parts[: limit - 1], "".join(parts[limit - 1 :])]
    spend(24 * len(parts))
    return parts


def _substring(text: str, start: int, end: int | None = None) -> str:
    stop = len(text) if end is None else end
    if not 0 <= start <= stop <= len(text):
        raise ValueError(f"substring: {start} to {stop} is outside a text of {len(text)}")
    return text[start:stop]


_LOWER = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz")
_UPPER = str.maketrans("abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ")
_QUOTED = {7: "\\a", 8: "\\b", 12: "\\f", 10: "\\n", 13: "\\r", 9: "\\t", 11: "\\v", 92: "\\\\", 34: '\\"'}


def _quote(text: str) -> str:
    return made('"' + text.translate(_QUOTED) + '"')


_CLAUSES: Final = frozenset("sdfeboxX")
_MAX_PRECISION: Final = 100


def _format(template: str, values: Sequence[Any]) -> str:
    pieces: list[str] = []
    position = used = 0
    while (sign := template.find("%", position)) >= 0:
        pieces.append(template[position:sign])
        if template[sign + 1 : sign + 2] == "%":
            pieces.append("%")
            position = sign + 2
            continue
        precision, clause, position = _clause(template, sign + 1)
        if used >= len(values):
            raise ValueError(f"format: there is no value for clause {used + 1}")
        pieces.append(_formatted(values[used], clause, precision))
        spend(len(pieces[-1]))
        used += 1
    pieces.append(template[position:])
    return made("".join(pieces))


def _clause(template: str, position: int) -> tuple[int | None, str, int]:
    """Precision, letter, and the position behind them."""
    precision: int | None = None
    if template[position : position + 1] == ".":
        end = position + 1
        while template[end : end + 1].isdecimal():
            end += 1
        digits = template[position + 1 : end]
        if not digits or len(digits) > 3 or int(digits) > _MAX_PRECISION:
            raise ValueError(f"format: a precision is a number up to {_MAX_PRECISION}")
        precision, position = int(digits), end
    clause = template[position : position + 1]
    if clause not in _CLAUSES or not clause:
        raise ValueError(f"format: %{clause} is not known; there are %s %d %f %e %b %o %x %X %%")
    return precision, clause, position + 1


def _formatted(value: Any, clause: str, precision: int | None) -> str:
    if clause == "s":
        return display(value)
    if clause in "fe" and isinstance(value, int | float) and not isinstance(value, bool):
        return f"{float(value):.{6 if precision is None else precision}{clause}}"
    if clause == "d" and isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if clause in "xX" and isinstance(value, str | bytes | bytearray):
        shown = (value.encode() if isinstance(value, str) else bytes(value)).hex()
        return shown.upper() if clause == "X" else shown
    if clause == "b" and isinstance(value, bool):
        return str(int(value))
    if clause in "boxX" and isinstance(value, int):
        return format(value, clause)
    raise ValueError(f"format: %{clause} does not fit {display(value)[:40]}")


def declarations() -> list[Any]:
    texts = cel.Type.List(_STRING)
    return [
        member("charAt", (_char_at, _STRING, (_STRING, _INT))),
        member("indexOf", (_index_of, _INT, (_STRING, _STRING)), (_index_of, _INT, (_STRING, _STRING, _INT))),
        member(
            "lastIndexOf", (_last_index_of, _INT, (_STRING, _STRING)), (_last_index_of, _INT, (_STRING, _STRING, _INT))
        ),
        member("join", (_join, _STRING, (texts,)), (_join, _STRING, (texts, _STRING))),
        member("lowerAscii", (lambda text: made(text.translate(_LOWER)), _STRING, (_STRING,))),
        member("upperAscii", (lambda text: made(text.translate(_UPPER)), _STRING, (_STRING,))),
        member(
            "replace",
            (_replace, _STRING, (_STRING, _STRING, _STRING)),
            (_replace, _STRING, (_STRING, _STRING, _STRING, _INT)),
        ),
        member("split", (_split, texts, (_STRING, _STRING)), (_split, texts, (_STRING, _STRING, _INT))),
        member("substring", (_substring, _STRING, (_STRING, _INT)), (_substring, _STRING, (_STRING, _INT, _INT))),
        member("trim", (lambda text: made(text.strip()), _STRING, (_STRING,))),
        member("reverse", (lambda text: made(text[::-1]), _STRING, (_STRING,))),
        member("format", (_format, _STRING, (_STRING, cel.Type.List(cel.Type.DYN)))),
        function("strings.quote", (_quote, _STRING, (_STRING,))),
    ]
