"""JSON Schemas that a flow's author writes: checked at save, and the parameters of a start against them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError
from referencing import Registry, Resource
from referencing.exceptions import Unresolvable
from referencing.jsonschema import DRAFT202012

from disttask_project.kernel import json
from disttask_project.kernel.json import JSON
from disttask_project.kernel.messages import Message, text
from flows.domain.compiled import ExpressionError
from flows.domain.problems import Loc, Problems
from flows.domain.schemarules import FORMATS, ParamsValidator, TooMuchWork, pattern_fault, restart

MAX_VIOLATIONS: Final = 200
_REFERENCES: Final = ("$ref", "$dynamicRef")
_LATER: Final = ("$dynamicRef", "unevaluatedProperties", "unevaluatedItems")


def check_schema(schema: JSON, loc: Loc, problems: Problems) -> None:
    """Whether `schema` is one, and looks nowhere but into itself."""
    references = list(_references_in(schema, loc))
    for place, target in references:
        if not target.startswith("#"):
            problems.add(place, "remote_reference", text("A reference may only point into this schema (#/...)."))
    wrong = _errors_of_schema(schema)
    for path, reason in wrong:
        problems.add((*loc, *path), "bad_schema", text("Not a JSON Schema: {reason}.", reason=reason))
    if not wrong:
        _check_resolvable(schema, references, problems)
        _check_words(schema, loc, problems)


def _errors_of_schema(schema: JSON) -> list[tuple[Loc, str]]:
    meta = Draft202012Validator(Draft202012Validator.META_SCHEMA)
    try:
        errors = list(itertools.islice(meta.iter_errors(schema), MAX_VIOLATIONS))
    except RecursionError:
        return [((), "it is nested too deeply")]
    return [(tuple(error.absolute_path), _short(error)) for error in errors]


def _references_in(schema: JSON, loc: Loc) -> Iterator[tuple[Loc, str]]:
    stack: list[tuple[Loc, Any]] = [(loc, schema)]
    while stack:
        place, value = stack.pop()
        if isinstance(value, Mapping):
            for word in _REFERENCES:
                if isinstance(value.get(word), str):
                    yield (*place, word), value[word]
            stack.extend(((*place, key), inner) for key, inner in value.items())
        elif isinstance(value, list):
            stack.extend(((*place, index), inner) for index, inner in enumerate(value))


def _check_resolvable(schema: JSON, references: Sequence[tuple[Loc, str]], problems: Problems) -> None:
    resource = Resource.from_contents(schema, default_specification=DRAFT202012)
    resolver = Registry().resolver_with_root(resource)
    for place, target in references:
        if not target.startswith("#"):
            continue
        try:
            resolver.lookup(target)
        except Unresolvable:
            problems.add(place, "bad_reference", text("{reference} points nowhere.", reference=target[:200]))


def _check_words(schema: JSON, loc: Loc, problems: Problems) -> None:
    """Patterns are RE2, and two keywords that would bring Python's regular expressions back stand alone."""
    stack: list[tuple[Loc, Any]] = [(loc, schema)]
    while stack:
        place, value = stack.pop()
        if isinstance(value, list):
            stack.extend(((*place, index), inner) for index, inner in enumerate(value))
        if not isinstance(value, Mapping):
            continue
        patterns = value.get("patternProperties")
        keyed = [(("patternProperties", key), key) for key in patterns] if isinstance(patterns, Mapping) else []
        for path, pattern in [*keyed, (("pattern",), value.get("pattern"))]:
            fault = pattern_fault(pattern) if isinstance(pattern, str) else ""
            if fault:
                problems.add((*place, *path), "bad_pattern", text("Not a pattern of RE2: {reason}.", reason=fault))
        for word in _LATER:
            if word in value:
                problems.add((*place, word), "not_available", text("Not available yet: {name}.", name=word))
        stack.extend(((*place, key), inner) for key, inner in value.items())


@lru_cache(maxsize=256)
def _validator(schema_text: str) -> Any:
    # The registry is empty: nothing is fetched from anywhere.
    return ParamsValidator(json.loads_stored(schema_text), registry=Registry(), format_checker=FORMATS)


def violations(value: JSON, schema: JSON, loc: Loc, problems: Problems) -> None:
    """Everything in `value` that `schema` forbids, each with its path."""
    restart()
    errors = _validator(json.dumps(schema)).iter_errors(value)
    try:
        for error in itertools.islice(errors, MAX_VIOLATIONS):
            problems.add((*loc, *error.absolute_path, *_missing(error)), _code(error), _message(error))
    except (RecursionError, Unresolvable, TooMuchWork, ExpressionError):
        problems.add(loc, "bad_schema", text("The flow's input schema cannot be followed for this value."))


def _missing(error: ValidationError) -> tuple[str, ...]:
    """The missing key belongs to the path: its field is the one to mark."""
    if error.validator != "required":
        return ()
    wanted: Any = error.validator_value
    return tuple(name for name in wanted if error.message.startswith(f"{name!r} "))[:1]


def _code(error: ValidationError) -> str:
    return {"required": "required", "type": "wrong_type", "additionalProperties": "unknown_key"}.get(
        str(error.validator), "bad_value"
    )


def _message(error: ValidationError) -> Message:
    wanted: Any = error.validator_value
    match str(error.validator):
        case "required":
            return text("This key is required.")
        case "type":
            return text("Must be of the type {type}.", type=", ".join(wanted) if isinstance(wanted, list) else wanted)
        case "enum":
            return text("Must be one of: {choices}.", choices=", ".join(map(str, wanted))[:300])
        case "minimum" | "minItems" | "minLength" | "minProperties":
            return text("Must be at least {bound}.", bound=wanted)
        case "maximum" | "maxItems" | "maxLength" | "maxProperties":
            return text("Must be at most {bound}.", bound=wanted)
        case "format":
            return text("Must have the format {format}.", format=wanted)
        case _:
            reason = error.message if isinstance(error.message, Message) else _short(error)
            return text("{reason}.", reason=reason)


def _short(error: ValidationError) -> str:
    return error.message if len(error.message) <= 300 else error.message[:297] + "..."
