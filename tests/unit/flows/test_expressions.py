from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import pytest

from flows.domain.compiled import ExpressionError
from flows.domain.expressions import CelExpression, PathExpression, condition, expression, parse_path, show_path

SCOPE: dict[str, Any] = {
    "params": {"b": 1, "a": {"items": [{"sku": "x"}], "zero": 0}, "用户": "li", "n": None, "flag": True},
    "tasks": {"notify-user": {"output": {"z": 1, "a": 2}}},
}


@pytest.mark.parametrize(
    ("source", "path"),
    [
        ("params.a", ("params", "a")),
        ("params", ("params",)),
        (" params . a ", ("params", "a")),
        ("params.a.items[0].sku", ("params", "a", "items", 0, "sku")),
        ('tasks["notify-user"].output', ("tasks", "notify-user", "output")),
        ("tasks['notify-user'].output", ("tasks", "notify-user", "output")),
        ("params.用户", ("params", "用户")),
        ("params['']", ("params", "")),
        ("true", None),
        ("null", None),
        ("1", None),
        ("params.a + 1", None),
        ("params.a[-1]", None),
        ("params.f()", None),
        ("params.?a", None),
        ("params['a\\n']", None),
        ("params..a", None),
        ("params.", None),
        ("", None),
    ],
)
def test_it_reads_plain_paths_itself(source: str, path: tuple[str | int, ...] | None) -> None:
    assert parse_path(source) == path


def test_it_writes_a_path_as_its_author_would() -> None:
    assert show_path(("tasks", "notify-user", "output", 0, "a")) == 'tasks["notify-user"].output[0].a'


def test_a_path_gives_the_value_itself_in_its_own_order() -> None:
    value = expression("params").evaluate(SCOPE)
    assert value is SCOPE["params"]
    assert list(expression("tasks['notify-user'].output").evaluate(SCOPE)) == ["z", "a"]


def test_a_path_keeps_null_and_falsehood() -> None:
    assert expression("params.n").evaluate(SCOPE) is None
    assert expression("params.a.zero").evaluate(SCOPE) == 0


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("params.x", ["params.x", "no x in params", "b, a, 用户, n, flag"]),
        ("params.a.items[3]", ["no 3", "a list of 1"]),
        ("params.a[0]", ["no 0 in params.a", "keys: items, zero"]),
        ("params.b.c", ["no c in params.b", "number"]),
        ("params.n.c", ["null"]),
        ("params.flag.c", ["boolean"]),
        ("params.用户.c", ["string"]),
        ("params.a.items.c", ["a list of 1"]),
        ("result.x", ["result is not known here"]),
        ("tasks['notify-user'].error.code", ['tasks["notify-user"].error.code']),
    ],
)
def test_a_missing_path_is_an_error_that_shows_what_is_there(source: str, words: list[str]) -> None:
    with pytest.raises(ExpressionError) as failed:
        expression(source).evaluate(SCOPE)
    assert failed.value.code == "EXPRESSION_MISSING"
    assert all(word in str(failed.value) for word in words)


def test_it_says_so_when_an_object_is_empty() -> None:
    with pytest.raises(ExpressionError, match=r"keys: -"):
        expression("params.x").evaluate({"params": {}})


def test_it_reads_scopes_of_any_mapping_kind() -> None:
    scope = {"params": MappingProxyType({"a": MappingProxyType({"b": 2})})}
    assert expression("params.a.b").evaluate(scope) == 2
    assert expression("params.a.b + 1").evaluate(scope) == 3
    assert expression("size(params.a)").evaluate(scope) == 1


class Watched(Mapping[str, Any]):
    """A mapping that tells which keys were read."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self.values_ = values
        self.read: set[str] = set()

    def __getitem__(self, key: str) -> Any:
        self.read.add(key)
        return self.values_[key]

    def __iter__(self) -> Any:
        return iter(self.values_)

    def __len__(self) -> int:
        return len(self.values_)

    def __contains__(self, key: object) -> bool:
        return key in self.values_


def test_the_evaluator_gets_only_what_the_source_reads() -> None:
    tasks = Watched({"a": {"output": {"x": 1, "y": object()}}, "b": object()})
    assert expression("tasks.a.output.x + 1").evaluate({"tasks": tasks}) == 2
    assert tasks.read == {"a"}


def test_a_shorter_path_brings_the_longer_one() -> None:
    scope = {"params": {"a": {"b": 1, "c": 2}}}
    assert expression("params.a.b + size(params.a)").evaluate(scope) == 3
    assert expression("params.a.b == 1 && has(params.a.c) && !has(params.x.y) || size(params) == 1").evaluate(scope)


def test_it_reads_through_texts_and_nulls_as_far_as_they_go() -> None:
    for source in ("params.n.c.d == 1", "params.b.c.d == 1"):
        with pytest.raises(ExpressionError):
            expression(source).evaluate(SCOPE)


def test_a_condition_is_true_or_false() -> None:
    assert condition("params.flag").evaluate(SCOPE) is True
    assert condition("params.b > 1").evaluate(SCOPE) is False


@pytest.mark.parametrize("source", ["params.b", "params.n", "params.a", "params.用户", "params.a.items"])
def test_a_condition_that_is_neither_is_an_error(source: str) -> None:
    with pytest.raises(ExpressionError, match="must be true or false") as failed:
        condition(source).evaluate(SCOPE)
    assert failed.value.code == "EXPRESSION_TYPE"


def test_a_source_that_cannot_be_compiled_fails_when_it_is_used() -> None:
    with pytest.raises(ExpressionError, match="mismatched input"):
        expression("1 +").evaluate(SCOPE)
    with pytest.raises(ExpressionError, match="longer than 4096"):
        expression("1 + " * 2000 + "1").evaluate(SCOPE)


def test_a_long_source_is_cut_in_its_error() -> None:
    source = "params.nothing + " + " + ".join(["'a'"] * 50)
    with pytest.raises(ExpressionError, match=r"\.\.\.: "):
        expression(source).evaluate(SCOPE)


def test_they_show_their_source() -> None:
    assert repr(PathExpression("params.a", ("params", "a"))) == "PathExpression('params.a')"
    assert repr(CelExpression("1 + 1")) == "CelExpression('1 + 1')"
    assert repr(condition("params.a")) == "Condition('params.a')"
    assert condition("params.a").source == "params.a"
