from __future__ import annotations

from typing import Any

import pytest

from flows.domain.compiled import ExpressionError
from flows.domain.jsonpath import PathFault, compile_path, parse

SCOPE: dict[str, Any] = {
    "tasks": {"task_1": {"result": {"status": "ok", "items": [1, 2, 3]}, "output": {"x": 1}}, "a-b": {"result": 7}}
}


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("$.task_1.result.status", "ok"),
        ("$.task_1.result", {"status": "ok", "items": [1, 2, 3]}),
        ("$['task_1']['result'][\"status\"]", "ok"),
        ("$.task_1.result.items[0]", 1),
        ("$.task_1.result.items[-1]", 3),
        ("$.task_1.result.items[ -3 ]", 1),
        ("$.task_1.output.x", 1),
        ("$.a-b.result", 7),
    ],
)
def test_it_reads_a_singular_path(source: str, value: Any) -> None:
    assert compile_path(source).evaluate(SCOPE) == value


@pytest.mark.parametrize(
    "source",
    ["$.task_1.result.nothing", "$.task_1.result.items[3]", "$.task_1.result.items[-4]", "$.task_1.result.status[-1]"],
)
def test_a_missing_value_is_an_error(source: str) -> None:
    with pytest.raises(ExpressionError) as failed:
        compile_path(source).evaluate(SCOPE)
    assert failed.value.code == "EXPRESSION_MISSING"


@pytest.mark.parametrize(
    "source",
    [
        "task_1.result",
        "",
        "$",
        "$.task_1",
        "$[0].result",
        "$.task_1.nothing",
        "$.task_1.result.*",
        "$.task_1.result[*]",
        "$..result",
        "$.task_1.result[?@.x]",
        "$.task_1.result[0:2]",
        "$.task_1.result.",
        "$.task_1[0]",
    ],
)
def test_it_refuses_what_is_no_singular_path(source: str) -> None:
    with pytest.raises(PathFault) as failed:
        parse(source)
    assert failed.value.code == "bad_path"
