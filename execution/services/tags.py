"""The tags of an instance: the flow's, rendered from the parameters, and the caller's over them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from disttask_project.kernel import json
from disttask_project.kernel.errors import InvalidInput, Problem
from disttask_project.kernel.messages import Message, text
from flows.domain.compiled import CompiledFlow, ExpressionError

MAX_TAGS: Final = 16
MAX_KEY: Final = 64
MAX_VALUE: Final = 255


def render_tags(
    flow: CompiledFlow, *, params: Mapping[str, Any], asked: Any, instance_id: str, version: int
) -> dict[str, str]:
    """All tags as strings; raises `InvalidInput` with every one that cannot be a tag."""
    problems = _asked_problems(asked)
    rendered: dict[str, str] = {}
    scope = {"params": params, "instance": {"id": instance_id, "flow": flow.name, "version": version}}
    for key, template in flow.tags.items():
        if key in asked:
            continue
        try:
            value = template.render(scope)
        except ExpressionError as error:
            problems.append(_problem(key, "expression", text("The tag has no value: {reason}", reason=error.args[0])))
            continue
        # An order number may well be a number: its digits are the tag.
        rendered[key] = value if isinstance(value, str) else json.dumps(value)
        if value is None or isinstance(value, dict | list) or len(rendered[key]) > MAX_VALUE:
            problems.append(_problem(key, "bad_tag", _value_rule()))
    if len(rendered) + len(asked) > MAX_TAGS:
        problems.append(_problem("", "too_many", text("At most {limit} tags.", limit=MAX_TAGS)))
    if problems:
        raise InvalidInput(problems[0].message, problems=problems)
    return {**rendered, **asked}


def _asked_problems(asked: Any) -> list[Problem]:
    if not isinstance(asked, dict):
        message = text("tags must be an object of strings.")
        raise InvalidInput(message, problems=[Problem(loc=("tags",), code="wrong_type", message=message)])
    problems: list[Problem] = []
    for key, value in asked.items():
        if not 1 <= len(key) <= MAX_KEY or json.fault_in(key):
            problems.append(_problem(key, "bad_tag", text("A tag's name has 1 to {limit} characters.", limit=MAX_KEY)))
        if not isinstance(value, str) or len(value) > MAX_VALUE or json.fault_in(value):
            problems.append(_problem(key, "bad_tag", _value_rule()))
    return problems


def _value_rule() -> Message:
    return text("A tag's value is a string of at most {limit} characters.", limit=MAX_VALUE)


def _problem(key: str, code: str, message: Message) -> Problem:
    return Problem(loc=("tags", key) if key else ("tags",), code=code, message=message)
