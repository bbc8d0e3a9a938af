"""A task's config against its executor's model: every fault at once, each with path, code and mend.

At save a string that holds `${...}` may stand for a value of any type; what it turns out to be is checked at
the call by the same model (`parse`).
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Generic, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from disttask_project.kernel.errors import Problem
from disttask_project.kernel.messages import Message, text
from execution.domain.outcome import Sort, TaskFailed

Model = TypeVar("Model", bound=BaseModel)

_MARK: Final = "${"
_KEPT: Final = 256
_PLAIN: Final = {
    "missing": text("This key is required."),
    "string_type": text("Must be a string."),
    "int_type": text("Must be a whole number."),
    "int_parsing": text("Must be a whole number."),
    "int_from_float": text("Must be a whole number."),
    "float_type": text("Must be a number."),
    "float_parsing": text("Must be a number."),
    "bool_type": text("Must be true or false."),
    "bool_parsing": text("Must be true or false."),
    "dict_type": text("Must be an object."),
    "mapping_type": text("Must be an object."),
    "list_type": text("Must be a list."),
}
_BOUNDED: Final[Mapping[str, Callable[[Any], Message]]] = {
    "literal_error": lambda bound: text("Must be one of: {choices}.", choices=bound),
    "greater_than_equal": lambda bound: text("Must be at least {bound}.", bound=bound),
    "less_than_equal": lambda bound: text("Must be at most {bound}.", bound=bound),
    "string_too_short": lambda bound: text("Must have at least {bound} characters.", bound=bound),
    "string_too_long": lambda bound: text("Must have at most {bound} characters.", bound=bound),
}


def config_problems(model: type[BaseModel], config: Mapping[str, Any]) -> Sequence[Problem]:
    """Every fault of a config as it stands in a definition."""
    try:
        model.model_validate(dict(config))
    except ValidationError as error:
        return _problems(model, config, error)
    return ()


def parse(model: type[Model], config: Mapping[str, Any]) -> Model:
    """The resolved config of a call; raises `TaskFailed` (refused, `BAD_CONFIG`) naming every fault."""
    try:
        return model.model_validate(config)
    except ValidationError as error:
        problems = _problems(model, config, error, resolved=True)
        faults = " ".join(f"{'.'.join(map(str, ('config', *item.loc)))}: {item.message}" for item in problems)
        raise TaskFailed(
            Sort.REFUSED, "BAD_CONFIG", text("The task's config cannot be used: {faults}", faults=faults)
        ) from None  # pydantic's own text quotes the values, secrets among them


class ParsedConfigs(Generic[Model]):
    """`parse`, remembering what it made of the same object: a constant config is one object for all its calls.

    Sound because JSON values are never changed in place (`engine.state`).
    """

    def __init__(self, model: type[Model]) -> None:
        self._model = model
        self._known: dict[int, tuple[Mapping[str, Any], Model]] = {}

    def __call__(self, config: Mapping[str, Any]) -> Model:
        known = self._known.get(id(config))
        if known is not None and known[0] is config:
            return known[1]
        parsed = parse(self._model, config)
        if len(self._known) >= _KEPT:
            self._known.clear()
        self._known[id(config)] = (config, parsed)  # holding the object keeps its id from being given again
        return parsed


def config_schema(model: type[BaseModel]) -> dict[str, Any]:
    """JSON schema of a config, for console, REST and gRPC."""
    return model.model_json_schema()


def _problems(
    model: type[BaseModel], config: Mapping[str, Any], error: ValidationError, *, resolved: bool = False
) -> list[Problem]:
    found: dict[tuple[str | int, ...], Problem] = {}
    for item in error.errors(include_url=False):
        loc, is_expression = _place(config, item["loc"])
        if is_expression and not resolved:
            continue
        # A union reports a fault a member; the first says enough.
        found.setdefault(loc, Problem(loc=loc, code=_code(item), message=_message(model, loc, item)))
    return list(found.values())


def _place(config: Any, loc: Sequence[str | int]) -> tuple[tuple[str | int, ...], bool]:
    """The path as far as it exists in the config (pydantic adds names of union members), and whether an
    expression stands there."""
    place: list[str | int] = []
    value: Any = config
    for step in loc:
        if isinstance(value, str):
            break
        if _has(value, step):
            value = value[step]
        elif isinstance(value, Mapping) and step == loc[-1] and isinstance(step, str):
            return (*place, step), False  # a key that is missing
        elif isinstance(value, Mapping):
            continue  # the name of a union's member
        else:
            break
        place.append(step)
    return tuple(place), isinstance(value, str) and _MARK in value


def _has(value: Any, step: str | int) -> bool:
    if isinstance(value, Mapping):
        return step in value
    return isinstance(value, list | tuple) and isinstance(step, int) and step < len(value)


def _code(item: ErrorDetails) -> str:
    kind = item["type"]
    if kind == "missing":
        return "required"
    if kind == "extra_forbidden":
        return "unknown_key"
    if kind.endswith(("_type", "_parsing", "_from_float")):
        return "wrong_type"
    return "bad_value"


def _message(model: type[BaseModel], loc: Sequence[str | int], item: ErrorDetails) -> Message:
    kind = item["type"]
    context = item.get("ctx", {})
    if kind in _PLAIN:
        return _PLAIN[kind]
    if kind == "extra_forbidden":
        return unknown_key(str(loc[-1]), [_shown(name, info) for name, info in model.model_fields.items()])
    bounds = {key: context[key] for key in ("expected", "ge", "le", "min_length", "max_length") if key in context}
    if kind in _BOUNDED and bounds:
        return _BOUNDED[kind](bounds.popitem()[1])
    reason = context.get("error")
    if isinstance(reason, ValueError) and reason.args and isinstance(reason.args[0], Message):
        return reason.args[0]
    return text("Not acceptable: {reason}.", reason=item["msg"])


def _shown(name: str, info: Any) -> str:
    return info.alias or name


def unknown_key(key: str, known: Sequence[str]) -> Message:
    """The message for a key that is not known, with the nearest name that is."""
    near = difflib.get_close_matches(key, known, n=1)
    if near:
        return text("Unknown key {key}; did you mean {near}?", key=key, near=near[0])
    return text("Unknown key {key}; known are: {known}.", key=key, known=", ".join(known))
