"""What a body or a query may hold, declared once: it parses, reports every fault at once, and draws the schema.

Hand-made instead of nested serializers because the start of an instance is the hot path (quality G14), and because
unknown keys, all faults at once and two languages come for nothing here.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Literal

from django.utils.dateparse import parse_datetime

from disttask_project.kernel.errors import InvalidInput, Problem
from disttask_project.kernel.messages import Message, text

Kind = Literal["string", "integer", "number", "boolean", "object", "array", "time", "any"]
Spec = Mapping[str, "Field"]

INTEGER_MAX: Final = 2**63 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One key. `choices` of a query filter may be joined by commas where `many` is set."""

    kind: Kind = "string"
    required: bool = False
    default: Any = None
    choices: tuple[str, ...] = ()
    min_length: int = 0
    max_length: int | None = None
    minimum: int | None = None
    maximum: int | None = None
    many: bool = False
    description: str = ""
    example: Any = None


_EXPECTED: Final[Mapping[str, Message]] = {
    "string": text("a string"),
    "integer": text("an integer"),
    "number": text("a number"),
    "boolean": text("true or false"),
    "object": text("an object"),
    "array": text("a list"),
    "time": text("a time such as 2026-11-23T08:00:00Z"),
}


def read_body(spec: Spec, body: Any) -> dict[str, Any]:
    """The values of a decoded JSON body, defaults put in; raises `InvalidInput` with every fault."""
    if not isinstance(body, dict):
        raise InvalidInput(
            text("The body must be a JSON object."),
            problems=[Problem(loc=(), code="wrong_type", message=text("The body must be a JSON object."))],
        )
    problems = list(unknown_keys(body, spec))
    values: dict[str, Any] = {}
    for name, field in spec.items():
        if body.get(name) is None:
            if field.required:
                problems.append(Problem(loc=(name,), code="required", message=text("{name} is required.", name=name)))
            values[name] = field.default
            continue
        value = _read_time(body[name]) if field.kind == "time" else body[name]
        fault = _fault_in(field, value)
        if fault is not None:
            problems.append(Problem(loc=(name,), code=fault[0], message=fault[1]))
        values[name] = value
    _raise(problems, text("The body is not acceptable."))
    return values


def read_query(spec: Spec, query: Mapping[str, str], *, families: Iterable[str] = ()) -> dict[str, Any]:
    """The declared filters of a query string; raises `InvalidInput` with every fault, unknown names included.

    `families` are prefixes of free names, such as `tag.`: their values come back as one mapping a family.
    """
    families = tuple(families)
    values: dict[str, Any] = {family.rstrip("."): {} for family in families}
    plain: dict[str, str] = {}
    for name in query:
        family = next((prefix for prefix in families if name.startswith(prefix) and name != prefix), None)
        if family is None:
            plain[name] = query[name]
        else:
            values[family.rstrip(".")][name.removeprefix(family)] = query[name]
    problems = list(unknown_keys(plain, spec, also=[f"{family}<key>" for family in families]))
    for name, field in spec.items():
        raw = plain.get(name, "").strip()
        if not raw:
            values[name] = field.default
            continue
        try:
            values[name] = _from_text(field, raw)
        except ValueError:
            problems.append(_wrong_type(name, field))
            continue
        fault = _fault_in(field, values[name])
        if fault is not None:
            problems.append(Problem(loc=(name,), code=fault[0], message=fault[1]))
    _raise(problems, text("The query is not acceptable."))
    return values


def unknown_keys(given: Iterable[str], known: Iterable[str], *, also: Iterable[str] = ()) -> Iterable[Problem]:
    """A problem for each key that is not known, with the nearest name as a hint."""
    names = list(known)
    for key in given:
        if key in names:
            continue
        near = difflib.get_close_matches(key, names, n=1)
        if near:
            message = text("{name} is not known here. Did you mean {near}?", name=key, near=near[0])
        else:
            message = text(
                "{name} is not known here. Known: {known}.", name=key, known=", ".join([*names, *also]) or "-"
            )
        yield Problem(loc=(key,), code="unknown_key", message=message)


def as_schema(spec: Spec) -> dict[str, Any]:
    """The JSON Schema of a body."""
    schema: dict[str, Any] = {
        "type": "object",
        "properties": {name: field_schema(field) for name, field in spec.items()},
        "additionalProperties": False,
    }
    required = [name for name, field in spec.items() if field.required]
    if required:
        schema["required"] = required
    example = example_of(spec)
    if example:
        schema["example"] = example
    return schema


def example_of(spec: Spec) -> dict[str, Any]:
    """What the raw form of the browsable API and the documentation start from."""
    return {name: field.example for name, field in spec.items() if field.example is not None}


def field_schema(field: Field) -> dict[str, Any]:
    """The JSON Schema of one key."""
    schema: dict[str, Any] = {}
    if field.kind == "time":
        schema |= {"type": "string", "format": "date-time"}
    elif field.kind != "any":
        schema["type"] = field.kind
    if field.kind == "array":
        schema["items"] = {}
    if field.many:
        schema = {"type": "string"}
    elif field.choices:
        schema["enum"] = list(field.choices)
    limits = {
        "minLength": field.min_length or None,
        "maxLength": field.max_length if field.kind == "string" else None,
        "maxItems": field.max_length if field.kind == "array" else None,
        "minimum": field.minimum,
        "maximum": field.maximum,
        "default": field.default,
        "description": field.description or None,
    }
    return schema | {key: value for key, value in limits.items() if value is not None}


def _fault_in(field: Field, value: Any) -> tuple[str, Message] | None:
    if field.many:
        wrong = next((item for item in value if field.choices and item not in field.choices), None)
        return None if wrong is None else _not_a_choice(field, wrong)
    if not _CHECKS[field.kind](value):
        return "wrong_type", text("This must be {expected}.", expected=_EXPECTED[field.kind])
    if field.choices and value not in field.choices:
        return _not_a_choice(field, value)
    if field.kind in ("string", "array") and len(value) < field.min_length:
        return "too_short", text("This must not be empty.")
    if field.max_length is not None and len(value) > field.max_length:
        return "too_long", text("This is longer than {limit}.", limit=field.max_length)
    if field.minimum is not None and value < field.minimum:
        return "too_small", text("This must be at least {limit}.", limit=field.minimum)
    if field.maximum is not None and value > field.maximum:
        return "too_large", text("This must be at most {limit}.", limit=field.maximum)
    return None


def _not_a_choice(field: Field, value: Any) -> tuple[str, Message]:
    known = ", ".join(field.choices)
    return "not_a_choice", text("{value} is none of: {known}.", value=str(value)[:100], known=known)


def _wrong_type(name: str, field: Field) -> Problem:
    message = text("This must be {expected}.", expected=_EXPECTED[field.kind])
    return Problem(loc=(name,), code="wrong_type", message=message)


def _from_text(field: Field, raw: str) -> Any:
    if field.many:
        return [part.strip() for part in raw.split(",") if part.strip()]
    if field.kind == "integer":
        if len(raw) > 19:
            raise ValueError
        return int(raw)
    if field.kind == "boolean":
        return _BOOLEANS.get(raw.lower(), raw)
    if field.kind == "time":
        return _time(raw)
    return raw


def _read_time(value: Any) -> Any:
    """A time as JSON has it, or the value itself where it is none."""
    try:
        return _time(value) if isinstance(value, str) else value
    except ValueError:
        return value


def _time(raw: str) -> datetime:
    # A plus sign that was not percent-encoded reaches us as a space.
    moment = parse_datetime(raw.replace(" ", "+") if raw.count(":") > 2 else raw)
    if moment is None:
        raise ValueError
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _raise(problems: list[Problem], message: Message) -> None:
    if problems:
        raise InvalidInput(problems[0].message if len(problems) == 1 else message, problems=problems)


_BOOLEANS: Final = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
_CHECKS: Final[Mapping[str, Callable[[Any], bool]]] = {
    "string": lambda value: isinstance(value, str),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool) and abs(value) <= INTEGER_MAX,
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "boolean": lambda value: isinstance(value, bool),
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "time": lambda value: isinstance(value, datetime),
    "any": lambda _value: True,
}
