"""JSON Schema keywords that must not run away: patterns in linear time, references counted, formats known.

The library matches patterns with Python's `re`, which one pattern and 30 characters can keep busy for years;
here the evaluator of expressions does it (RE2).
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final

from jsonschema import Draft202012Validator, FormatChecker
from jsonschema.exceptions import ValidationError
from jsonschema.validators import extend

from disttask_project.kernel.messages import text
from flows.domain import cel
from flows.domain.compiled import ExpressionError

MAX_REFERENCES: Final = 20_000

_MATCH: Final = "params.text.matches(params.pattern)"
_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(?:\.\d+)?(?:[Zz]|[+-]\d\d:\d\d)")
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[^\s<>\"{}|\\^`]+")


class TooMuchWork(Exception):
    """The references of a schema lead on and on."""


class _Count(threading.local):
    references = 0


_count = _Count()


def restart() -> None:
    """Begin counting anew: before each validation."""
    _count.references = 0


def matches(pattern: str, string: str) -> bool:
    """Whether the pattern occurs in the string; raises `ExpressionError` for a pattern RE2 does not know."""
    return cel.evaluate(cel.compile_(_MATCH), {"params": {"text": string, "pattern": pattern}}) is True


def pattern_fault(pattern: str) -> str:
    """Why a pattern cannot be used; "" for a good one."""
    try:
        matches(pattern, "")
    except ExpressionError as error:
        return str(error)
    return ""


def _pattern(_validator: Any, pattern: str, instance: Any, _schema: Any) -> Iterator[ValidationError]:
    if isinstance(instance, str) and not matches(pattern, instance):
        yield ValidationError(text("Must match the pattern {pattern}", pattern=pattern[:200]))


def _pattern_properties(validator: Any, patterns: Any, instance: Any, _schema: Any) -> Iterator[ValidationError]:
    if isinstance(instance, Mapping):
        for pattern, inner in patterns.items():
            for key in instance:
                if matches(pattern, key):
                    yield from validator.descend(instance[key], inner, path=key, schema_path=pattern)


def _additional(validator: Any, allowed: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
    """One error a key, at its own path."""
    if not isinstance(instance, Mapping):
        return
    known, patterns = schema.get("properties", {}), schema.get("patternProperties", {})
    for key in instance:
        if key in known or any(matches(pattern, key) for pattern in patterns):
            continue
        if allowed is False:
            yield ValidationError(text("Unknown key {key}", key=key[:64]), path=(key,))
        else:
            yield from validator.descend(instance[key], allowed, path=key)


def _reference(validator: Any, target: str, instance: Any, schema: Any) -> Iterator[ValidationError]:
    _count.references += 1
    if _count.references > MAX_REFERENCES:
        raise TooMuchWork
    yield from Draft202012Validator.VALIDATORS["$ref"](validator, target, instance, schema) or ()


def _is_time(value: object) -> bool:
    if not isinstance(value, str):
        return True
    return bool(_TIME.fullmatch(value)) and datetime.fromisoformat(value.upper()) is not None


def _formats() -> FormatChecker:
    """What the library checks by itself, and the formats it would need more packages for."""
    checker = FormatChecker(("date", "email", "ipv4", "ipv6", "uuid", "idn-email"))
    checker.checks("date-time", raises=ValueError)(_is_time)
    checker.checks("uri")(lambda value: not isinstance(value, str) or bool(_URI.fullmatch(value)))
    return checker


FORMATS: Final = _formats()
ParamsValidator: Final[Any] = extend(  # type: ignore[no-untyped-call]
    Draft202012Validator,
    {
        "pattern": _pattern,
        "patternProperties": _pattern_properties,
        "additionalProperties": _additional,
        "$ref": _reference,
    },
)
