from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from disttask_project.kernel.json import INT_MAX, INT_MIN
from flows.domain.catalog import FIELD_TYPES
from flows.domain.coercion import coerced
from flows.domain.compiled import ExpressionError, InputField
from flows.domain.parameters import InputError, bind_input, check_input, check_params
from flows.domain.problems import Problems
from tests.unit.flows.builders import compiled, entry, flow, task

GOOD: list[tuple[str, Any, Any]] = [
    ("string", "a", "a"),
    ("string", "", ""),
    ("string", 7, "7"),
    ("string", True, "true"),
    ("string", False, "false"),
    ("string", 1.5, "1.5"),
    ("int", 7, 7),
    ("int", 7.0, 7),
    ("int", " 7 ", 7),
    ("int", "-12", -12),
    ("int", INT_MAX, INT_MAX),
    ("int64", str(INT_MIN), INT_MIN),
    ("float", 1.5, 1.5),
    ("float", 3, 3.0),
    ("float", "1e3", 1000.0),
    ("float64", "-.5", -0.5),
    ("decimal", "1.10", "1.10"),
    ("decimal", " 7 ", "7"),
    ("decimal", 7, "7"),
    ("decimal", 0.1, "0.1"),
    ("decimal", "1e3", "1000"),
    ("decimal", "123456789012345678901234567890.12", "123456789012345678901234567890.12"),
    ("bool", True, True),
    ("bool", "false", False),
    ("bool", "TRUE", True),
    ("bool", 1, True),
    ("bool", 0, False),
    ("[]string", ["a", 1], ["a", "1"]),
    ("[]int", ["1", 2.0], [1, 2]),
    ("[]float", [1, "2.5"], [1.0, 2.5]),
    ("[]int", [], []),
    ("object", {"a": [1]}, {"a": [1]}),
    ("array", [1, "a", None], [1, "a", None]),
    ("time", "2026-11-23T08:00:00Z", "2026-11-23T08:00:00Z"),
    ("time", "2026-11-23 16:00:00.5+08:00", "2026-11-23T16:00:00.5+08:00"),
    ("*", None, None),
    ("*", {"a": 1}, {"a": 1}),
    ("*", "x", "x"),
]

BAD: list[tuple[str, Any, str]] = [
    ("string", None, "wrong_type"),
    ("string", [], "wrong_type"),
    ("string", {}, "wrong_type"),
    ("string", math.inf, "wrong_type"),
    ("int", 3.7, "would_lose"),
    ("int", 1e300, "would_lose"),
    ("int", "3.7", "wrong_type"),
    ("int", "abc", "wrong_type"),
    ("int", "", "wrong_type"),
    ("int", True, "wrong_type"),
    ("int", None, "wrong_type"),
    ("int", 2**63, "out_of_range"),
    ("int", str(2**63), "out_of_range"),
    ("int", -(2**63) - 1, "out_of_range"),
    ("int", "9" * 50, "wrong_type"),
    ("int64", [1], "wrong_type"),
    ("float", "abc", "wrong_type"),
    ("float", "nan", "wrong_type"),
    ("float", True, "wrong_type"),
    ("float", math.nan, "out_of_range"),
    ("float", "1e999", "out_of_range"),
    ("float", 2**53 + 1, "would_lose"),
    ("float", 2**70, "would_lose"),
    ("float", "1" * 500, "wrong_type"),
    ("decimal", "abc", "wrong_type"),
    ("decimal", "nan", "wrong_type"),
    ("decimal", "Infinity", "wrong_type"),
    ("decimal", True, "wrong_type"),
    ("decimal", [], "wrong_type"),
    ("decimal", "1e999", "wrong_type"),
    ("decimal", "9" * 500, "wrong_type"),
    ("decimal", "1_000", "wrong_type"),
    ("bool", "abc", "wrong_type"),
    ("bool", 2, "wrong_type"),
    ("bool", None, "wrong_type"),
    ("object", [], "wrong_type"),
    ("object", "{}", "wrong_type"),
    ("array", {}, "wrong_type"),
    ("array", "[]", "wrong_type"),
    ("time", "2026-11-23", "wrong_type"),
    ("time", "2026-11-23T08:00:00", "wrong_type"),
    ("time", "2026-13-23T08:00:00Z", "wrong_type"),
    ("time", 1700000000, "wrong_type"),
    ("[]string", "a", "wrong_type"),
]


def coerce(type_: str, value: Any) -> tuple[Any, list[tuple[Any, str]]]:
    problems = Problems()
    result = coerced(value, type_, ("x",), problems)
    return result, [(problem.loc, problem.code) for problem in problems.listed()]


@pytest.mark.parametrize(("type_", "value", "expected"), GOOD)
def test_it_coerces_without_loss(type_: str, value: Any, expected: Any) -> None:
    result, problems = coerce(type_, value)
    assert problems == []
    assert result == expected
    assert type(result) is type(expected)


@pytest.mark.parametrize(("type_", "value", "code"), BAD, ids=lambda value: str(value)[:40])
def test_it_refuses_what_would_lose_something(type_: str, value: Any, code: str) -> None:
    assert coerce(type_, value)[1] == [(("x",), code)]


def test_every_type_is_in_the_tables() -> None:
    assert {type_ for type_, _, _ in GOOD} == set(FIELD_TYPES)


def test_each_bad_element_of_a_list_has_its_path() -> None:
    assert coerce("[]int", [1, "a", 3, 4.5])[1] == [(("x", 1), "wrong_type"), (("x", 3), "would_lose")]


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.decimals().map(str),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.sampled_from(FIELD_TYPES), anything)
def test_it_always_answers_and_is_stable(type_: str, value: Any) -> None:
    result, problems = coerce(type_, value)
    if not problems and type_ != "*":
        assert coerce(type_, result) == (result, [])


@given(st.integers(INT_MIN, INT_MAX))
def test_integers_of_64_bits_keep_every_digit(number: int) -> None:
    assert coerce("int", number) == (number, [])
    assert coerce("int", str(number)) == (number, [])
    assert coerce("decimal", str(number)) == (str(number), [])


@given(st.decimals(allow_nan=False, allow_infinity=False, places=4, min_value=-(10**20), max_value=10**20))
def test_decimals_keep_their_places(number: Any) -> None:
    assert coerce("decimal", f"{number:f}") == (f"{number:f}", [])


FIELDS = (
    InputField(name="user", type="string", required=True),
    InputField(name="amount", type="int", required=True),
    InputField(name="mode", type="string", default="fast", has_default=True),
    InputField(name="any", type="*"),
)


def test_all_problems_of_an_input_come_at_once() -> None:
    with pytest.raises(InputError) as refused:
        check_input(FIELDS, {"amount": "x", "mode": []})
    assert [(problem.loc, problem.code) for problem in refused.value.problems] == [
        (("user",), "required"),
        (("amount",), "wrong_type"),
        (("mode",), "wrong_type"),
    ]
    assert "user: This input is required." in str(refused.value)


def test_null_is_not_given_but_where_anything_goes() -> None:
    assert check_input(FIELDS, {"user": "u", "amount": 1, "mode": None, "any": None}) == {
        "user": "u",
        "amount": 1,
        "mode": None,
        "any": None,
    }
    with pytest.raises(InputError):
        check_input(FIELDS, {"user": None, "amount": 1})


def test_values_of_no_field_stay() -> None:
    assert check_input(FIELDS, {"user": "u", "amount": "1", "more": [1]})["more"] == [1]


CHARGE = entry("charge", *FIELDS)


def bound(params: Any = None, scope: Any = None, override: Any = None, **more: Any) -> dict[str, Any]:
    made = compiled(flow(task("before"), task("pay", "before", task_name="charge", **more)), CHARGE)
    given_params = {} if params is None else params
    return bind_input(
        made.tasks["pay"], params=given_params, scope={"params": given_params, **(scope or {})}, override=override
    )


def test_later_origins_win() -> None:
    scope = {"tasks": {"before": {"result": {"user": "from path", "amount": 4}}}}
    params = {"charge": {"user": "by name", "amount": 1, "mode": "by name"}, "pay": {"amount": 2}, "x": "by input"}
    assert bound({"charge": params["charge"]})["mode"] == "by name"
    assert bound({"charge": {"user": "u", "amount": 1}})["mode"] == "fast"
    assert bound(params)["amount"] == 2
    paths = {"user": "$.before.result.user", "amount": "$.before.result.amount"}
    assert bound(params, scope, input_from=paths)["amount"] == 4
    everything = bound(params, scope, {"any": 1}, input_from=paths, input={"user": "${params.x}"})
    assert everything == {"user": "by input", "amount": 4, "mode": "by name", "any": 1}
    assert bound(params, scope, {"user": "operator"}, input={"user": "${params.x}"})["user"] == "operator"


@pytest.mark.parametrize("value", [None, 7, "x", [], True])
def test_parameters_of_a_task_count_only_where_they_are_an_object(value: Any) -> None:
    params = {"charge": {"user": "u", "amount": 1}, "pay": value}
    assert bound(params)["user"] == "u"
    with pytest.raises(InputError):
        bound({"charge": value})


def test_a_value_that_cannot_be_computed_is_an_error() -> None:
    with pytest.raises(ExpressionError):
        bound({}, input={"user": "${params.nobody}"})
    with pytest.raises(ExpressionError):
        bound({}, {"tasks": {"before": {}}}, input_from={"user": "$.before.result.user"})


def test_without_fields_the_input_is_taken_as_it_is() -> None:
    made = compiled(flow(task("a", input={"x": "${params.x}"})))
    assert bind_input(made.tasks["a"], params={"a": {"y": None}}, scope={"params": {"x": [1]}}) == {"y": None, "x": [1]}


def test_the_callers_parameters_are_left_as_they_were() -> None:
    params = {"charge": {"user": "u", "amount": "1"}}
    bound(params)
    assert params == {"charge": {"user": "u", "amount": "1"}}


SCHEMA = {
    "type": "object",
    "required": ["order", "amount"],
    "properties": {"amount": {"type": "integer", "minimum": 1}, "at": {"type": "string", "format": "date-time"}},
    "additionalProperties": False,
}


def test_parameters_meet_the_schema() -> None:
    with_schema = compiled(flow(input_schema={**SCHEMA, "additionalProperties": True}))
    assert check_params(with_schema, {"order": 1, "amount": 2, "at": "2026-11-23T08:00:00Z"}) == ()
    assert check_params(compiled(flow()), {"anything": 1}) == ()


def test_every_violation_is_told() -> None:
    with_schema = compiled(flow(input_schema=SCHEMA))
    problems = check_params(with_schema, {"amount": 0, "at": "yesterday", "more": 1})
    assert {(problem.loc, problem.code) for problem in problems} == {
        (("order",), "required"),
        (("amount",), "bad_value"),
        (("at",), "bad_value"),
        (("more",), "unknown_key"),
    }


@pytest.mark.parametrize("params", [None, [], "x", 7])
def test_parameters_are_one_object(params: Any) -> None:
    assert [problem.code for problem in check_params(compiled(flow()), params)] == ["wrong_type"]


@given(st.dictionaries(st.text(), anything, max_size=4))
def test_any_parameters_give_an_input_or_its_problems(params: dict[str, Any]) -> None:
    made = compiled(flow(task("pay", task_name="charge")), CHARGE).tasks["pay"]
    refused: list[InputError] = []
    try:
        result = bind_input(made, params={"charge": params}, scope={"params": params})
    except InputError as error:
        refused.append(error)
    else:
        assert isinstance(result["user"], str)
        assert isinstance(result["amount"], int)
    assert all(error.problems for error in refused)
