"""From what somebody sent to the shape of a document, with every fault of its form."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import Any, Final

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from disttask_project.kernel import json
from disttask_project.kernel.errors import Malformed
from disttask_project.kernel.messages import Message, text
from flows.domain.document import (
    COMPOSITE_TYPES,
    LATER_FLOW_KEYS,
    LATER_TASK_KEYS,
    MAX_TAGS,
    MAX_TASKS,
    CheckShape,
    CompensateShape,
    FailureFlowShape,
    FlowShape,
    RetryShape,
    TaskShape,
)
from flows.domain.problems import Loc, Problems

_INNER_SHAPES: Final[Mapping[str | int, type[BaseModel]]] = {
    "compensate": CompensateShape,
    "check": CheckShape,
    "failure_flow": FailureFlowShape,
}
MAX_BYTES: Final = 8 * 2**20
MAX_HINTS: Final = 50  # finding the nearest name costs more than all else; nobody mistypes more keys than that

TYPE_WORDS: Final = {
    "string_type": text("Must be a string."),
    "int_type": text("Must be a whole number."),
    "float_type": text("Must be a number."),
    "bool_type": text("Must be true or false."),
    "list_type": text("Must be a list."),
    "dict_type": text("Must be an object."),
    "model_type": text("Must be an object."),
    "model_attributes_type": text("Must be an object."),
    "finite_number": text("Must be a finite number."),
    "not_positive": text("Must be greater than 0."),
    "address": text("Must be an http or https address without a user name."),
    "join": text("Must be all, any, or how many dependencies must succeed (a whole number from 1)."),
    "output": text("Must be an object of named values, or a name for the whole result."),
}


def read_document(document: object, problems: Problems) -> FlowShape | None:
    """The shape of a decoded document; None when it has none."""
    if not isinstance(document, dict):
        problems.add((), "wrong_type", text("A flow is one JSON object."))
        return None
    try:
        return FlowShape.model_validate(document)
    except ValidationError as error:
        _translate(document, error, problems)
        return None


def decode_document(source: object, problems: Problems) -> object:
    """The decoded document, which may come as JSON text (seed); what keeps it from being stored goes to `problems`."""
    if isinstance(source, str | bytes):
        if len(source) > MAX_BYTES or len(source.encode() if isinstance(source, str) else source) > MAX_BYTES:
            problems.add((), "too_large", text("The document is larger than 8 MiB."))
            return None
        try:
            return json.loads(source)
        except Malformed as error:
            problems.add((), "bad_json", error.message)
            return None
    fault = json.fault_in(source) or _unstorable(source, problems)
    if fault:
        problems.add((), "bad_json", text("The document cannot be stored as JSON: {fault}.", fault=fault))
    return source


def _unstorable(source: object, problems: Problems) -> str | None:
    try:
        size = len(json.dumps(source).encode())
    except (TypeError, ValueError) as error:
        return str(error)
    if size > MAX_BYTES:
        problems.add((), "too_large", text("The document is larger than 8 MiB."))
    return None


def _translate(document: Mapping[str, Any], error: ValidationError, problems: Problems) -> None:
    hints = MAX_HINTS
    composites: set[Loc] = set()
    for item in error.errors(include_url=False, include_context=True):
        loc = _place(document, item["loc"])
        owner = _value_at(document, loc[:-1])
        if _is_composite(loc, owner):
            task = loc[:2]
            if task not in composites:
                composites.add(task)
                _later(problems, (*task, "type"), text("tasks of the type {name}", name=owner["type"]))
            continue
        if item["type"] == "extra_forbidden":
            hints -= 1
            _unknown_key(problems, loc, hints=hints > 0)
        else:
            code, message = _fault_of(item, loc)
            problems.add(loc, code, message)


def _is_composite(loc: Loc, owner: object) -> bool:
    """Whether this is a fault of a task with a `type`: all its flat fields would be told as unknown."""
    return (
        len(loc) == 3
        and loc[0] == "tasks"
        and isinstance(owner, Mapping)
        and isinstance(owner.get("type"), str)
        and owner["type"] in COMPOSITE_TYPES
    )


def _later(problems: Problems, loc: Loc, name: str) -> None:
    problems.add(loc, "not_available", text("Not available yet: {name}.", name=name))


def _unknown_key(problems: Problems, loc: Loc, *, hints: bool) -> None:
    key = str(loc[-1])
    shape, later = _shape_at(loc)
    if key in later:
        _later(problems, loc, key)
    elif shape is TaskShape and key == "type":
        problems.add(loc, "unknown_key", text("Only composite tasks have a type; an executor is named by task_name."))
    else:
        known = [*shape.model_fields, *later]
        near = difflib.get_close_matches(key[:64], known, n=1) if hints else []
        if near:
            problems.add(
                loc, "unknown_key", text("Unknown key {key}; did you mean {near}?", key=key[:64], near=near[0])
            )
        else:
            problems.add(
                loc, "unknown_key", text("Unknown key {key}; known are: {known}.", key=key[:64], known=", ".join(known))
            )


def _shape_at(loc: Loc) -> tuple[type[BaseModel], Sequence[str]]:
    if len(loc) == 1:
        return FlowShape, sorted(LATER_FLOW_KEYS)
    if len(loc) == 3:
        return TaskShape, sorted(LATER_TASK_KEYS)
    return _INNER_SHAPES.get(loc[-2], RetryShape), ()


def _place(document: Mapping[str, Any], loc: Sequence[str | int]) -> Loc:
    """The path as it is in the document: pydantic adds words of its own where a value may be null."""
    place: list[str | int] = []
    value: Any = document
    for index, step in enumerate(loc):
        is_key = isinstance(value, Mapping) and isinstance(step, str) and step in value
        is_element = isinstance(value, list) and isinstance(step, int) and step < len(value)
        if not is_key and not is_element:
            if isinstance(value, Mapping) and index == len(loc) - 1:
                place.append(step)  # a key that is missing
            break
        place.append(step)
        value = value[step]
    return tuple(place)


def _value_at(document: object, loc: Loc) -> Any:
    value: Any = document
    for step in loc:
        value = value[step]
    return value


def _fault_of(item: ErrorDetails, loc: Loc) -> tuple[str, Message]:
    kind = item["type"]
    context = item.get("ctx", {})
    if kind in TYPE_WORDS:
        return "wrong_type" if kind.endswith("_type") else "bad_value", TYPE_WORDS[kind]
    if kind in ("too_short", "too_long"):
        return _count_fault(kind, loc)
    match kind:
        case "missing":
            return "required", text("This key is required.")
        case "literal_error":
            choices = context["expected"].replace(" or ", ", ")
            message = text("Must be one of: {choices}.", choices=choices)
        case "string_pattern_mismatch":
            return "bad_id", text("An id is a letter, then letters, digits, _ and -, 64 at most.")
        case "string_too_short":
            message = text("Must not be empty.")
        case "string_too_long":
            message = text("Must have {most} characters at most.", most=context["max_length"])
        case "greater_than_equal":
            message = text("Must be at least {bound}.", bound=context["ge"])
        case "less_than_equal":
            message = text("Must be at most {bound}.", bound=context["le"])
        case _:
            message = text("Not acceptable: {reason}.", reason=item["msg"])
    return "bad_value", message


def _count_fault(kind: str, loc: Loc) -> tuple[str, Message]:
    if loc == ("tasks",) and kind == "too_short":
        return "no_tasks", text("A flow needs at least one task.")
    if loc == ("tasks",):
        return "too_many_tasks", text("A flow has {most} tasks at most.", most=MAX_TASKS)
    if loc == ("tags",):
        return "bad_value", text("There are {most} tags at most.", most=MAX_TAGS)
    return "bad_value", text("The list is too long.")
