"""JSON Schemas that a flow's author writes: checked at save, and the parameters of a start against them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

import jsonschema
from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError, ValidationError
from referencing import Registry
from referencing.exceptions import Unresolvable

from disttask_project.kernel import json
from disttask_project.kernel.json import JSON
from disttask_project.kernel.messages import Message, text
from flows.domain.problems import Loc, Problems

MAX_VIOLATIONS: Final = 200
_REFERENCES: Final = ("$ref", "$dynamicRef")


def check_schema(schema: JSON, loc: Loc, problems: Problems) -> None:
    """Whether `schema` is one, and looks nowhere but into itself."""
    before = len(problems)
    _check_references(schema, loc, problems)
    for error in _errors_of_schema(schema):
        problems.add(
            (*loc, *error.absolute_path), "bad_schema", text("Not a JSON Schema: {reason}.", reason=_short(error))
        )
    if len(problems) == before:
        _check_resolvable(schema, loc, problems)


def _errors_of_schema(schema: JSON) -> list[ValidationError]:
    meta = Draft202012Validator(Draft202012Validator.META_SCHEMA)
    try:
        return list(meta.iter_errors(schema))[:MAX_VIOLATIONS]
    except (RecursionError, Unresolvable) as error:
        return [SchemaError(str(error)[:200])]


def _check_references(schema: JSON, loc: Loc, problems: Problems) -> None:
    stack: list[tuple[Loc, Any]] = [(loc, schema)]
    while stack:
        place, value = stack.pop()
        if isinstance(value, Mapping):
            for word in _REFERENCES:
                target = value.get(word)
                if isinstance(target, str) and not target.startswith("#"):
                    problems.add(
                        (*place, word), "remote_reference", text("A reference may only point into this schema (#/...).")
                    )
            stack.extend(((*place, key), inner) for key, inner in value.items())
        elif isinstance(value, list):
            stack.extend(((*place, index), inner) for index, inner in enumerate(value))


def _check_resolvable(schema: JSON, loc: Loc, problems: Problems) -> None:
    validator = _validator(json.dumps(schema))
    for reference in _references_in(schema):
        try:
            validator._resolver.lookup(reference)
        except Exception:
            problems.add(loc, "bad_reference", text("{reference} points nowhere.", reference=reference[:200]))


def _references_in(schema: JSON) -> list[str]:
    found: dict[str, None] = {}
    stack: list[Any] = [schema]
    while stack:
        value = stack.pop()
        if isinstance(value, Mapping):
            for word in _REFERENCES:
                if isinstance(value.get(word), str):
                    found[value[word]] = None
            stack.extend(value.values())
        elif isinstance(value, list):
            stack.extend(value)
    return list(found)


@lru_cache(maxsize=256)
def _validator(schema_text: str) -> Draft202012Validator:
    return Draft202012Validator(
        json.loads_stored(schema_text),
        registry=Registry(),  # empty: nothing is fetched from anywhere
        format_checker=Draft202012Validator.FORMAT_CHECKER,
    )


def violations(value: JSON, schema: JSON, loc: Loc, problems: Problems) -> None:
    """Everything in `value` that `schema` forbids, each with its path."""
    validator = _validator(json.dumps(schema))
    try:
        for count, error in enumerate(validator.iter_errors(value)):
            if count >= MAX_VIOLATIONS:
                break
            problems.add((*loc, *error.absolute_path, *_missing(error)), _code(error), _message(error))
    except (RecursionError, Unresolvable):
        problems.add(loc, "bad_schema", text("The flow's input schema cannot be followed for this value."))


def _missing(error: ValidationError) -> tuple[str, ...]:
    """The missing key belongs to the path: its field is the one to mark."""
    if error.validator == "required" and isinstance(error.instance, Mapping):
        for name in error.validator_value:
            if name not in error.instance and f"'{name}'" in error.message:
                return (name,)
    return ()


def _code(error: ValidationError) -> str:
    return {"required": "required", "type": "wrong_type", "additionalProperties": "unknown_key"}.get(
        str(error.validator), "bad_value"
    )


def _message(error: ValidationError) -> Message:
    rule = str(error.validator)
    wanted = error.validator_value
    if rule == "required":
        return text("This key is required.")
    if rule == "type":
        return text("Must be of the type {type}.", type=", ".join(wanted) if isinstance(wanted, list) else wanted)
    if rule == "enum":
        return text("Must be one of: {choices}.", choices=", ".join(map(str, wanted))[:300])
    if rule in ("minimum", "minItems", "minLength", "minProperties"):
        return text("Must be at least {bound}.", bound=wanted)
    if rule in ("maximum", "maxItems", "maxLength", "maxProperties"):
        return text("Must be at most {bound}.", bound=wanted)
    if rule == "format":
        return text("Must have the format {format}.", format=wanted)
    if rule == "pattern":
        return text("Must match the pattern {pattern}.", pattern=str(wanted)[:200])
    return text("{reason}.", reason=_short(error))


def _short(error: ValidationError) -> str:
    return error.message if len(error.message) <= 300 else error.message[:297] + "..."


__all__ = ["check_schema", "jsonschema", "violations"]
