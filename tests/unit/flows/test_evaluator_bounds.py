"""What the evaluator still takes and what is too much, at the very edge; and the words of its refusals."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from zoneinfo import ZoneInfoNotFoundError

import pytest

from flows.domain import allowance, cel, celnumbers
from flows.domain.compiled import ExpressionError
from flows.domain.expressions import CelExpression, PathExpression, condition, parse_path


@pytest.fixture(autouse=True)
def _full_allowance() -> Iterator[None]:
    allowance.grant(allowance.DEFAULT_ALLOWANCE, allowance.DEFAULT_ALLOWANCE)
    yield
    allowance.grant(allowance.DEFAULT_ALLOWANCE, allowance.DEFAULT_ALLOWANCE)


def value_of(source: str, **params: Any) -> Any:
    return CelExpression(source).evaluate({"params": params})


def refusal(source: str, **params: Any) -> str:
    with pytest.raises(ExpressionError) as failed:
        CelExpression(source).evaluate({"params": params})
    return str(failed.value)


def fault_of(source: str) -> cel.Fault:
    with pytest.raises(cel.CompileFailed) as failed:
        cel.compile_(source)
    assert str(failed.value) == "; ".join(fault.message for fault in failed.value.faults)
    return failed.value.faults[0]


def test_one_text_may_use_up_its_grant_and_not_a_character_more() -> None:
    allowance.grant(10, 4)
    assert allowance.made("four") == "four"
    with pytest.raises(ValueError, match="too much text"):
        allowance.made("fives")


def test_an_account_may_be_spent_to_nothing_and_no_further() -> None:
    allowance.grant(8, 8)
    allowance.spend(5)
    allowance.spend(3)
    with pytest.raises(ValueError, match="too much text"):
        allowance.spend(1)


@pytest.mark.parametrize(
    ("size", "source"),
    [
        (3, "'a' + 'bc'"),  # a text: its characters
        (3, "[1, 2]"),  # a list: its elements and itself
        (8, "[[1, 2], [3]]"),
        (4, "{'a': {'b': 1}}"),
        (5, "['abc']"),
    ],
)
def test_an_answer_is_counted_to_its_last_part(monkeypatch: pytest.MonkeyPatch, size: int, source: str) -> None:
    program = cel.compile_(source)
    monkeypatch.setattr(cel, "MAX_OUTPUT", size)
    cel.evaluate(program, {})
    monkeypatch.setattr(cel, "MAX_OUTPUT", size - 1)
    with pytest.raises(ExpressionError, match="too large"):
        cel.evaluate(program, {})


def test_numbers_of_two_kinds_are_told_how_to_meet() -> None:
    fault = fault_of("1 + 1.5")
    assert "make them alike with double(...) or int(...)" in fault.message
    assert fault.message.startswith("+ cannot take int, double")
    assert "make them alike" not in fault_of("'a' + 1").message
    assert "make them alike" not in fault_of("1.5 + 'a'").message


def test_a_source_too_long_is_refused_without_a_place() -> None:
    cel.compile_("1" + " " * (cel.MAX_SOURCE - 1))
    fault = fault_of("1" + " " * cel.MAX_SOURCE)
    assert (fault.line, fault.column) == (0, 0)
    assert str(cel.MAX_SOURCE) in fault.message


def test_doublings_are_counted_to_the_last_one_allowed() -> None:
    step = ".optMap(x, x)"
    cel.compile_("optional.of(1)" + step * 4)
    fault = fault_of("optional.of(1)" + step * 5)
    assert (fault.line, fault.column) == (0, 0)
    assert "4 optMap" in fault.message


def test_what_is_no_text_is_refused_without_a_place() -> None:
    assert fault_of("'\ud800'") == cel.Fault(0, 0, "it is not text")


def test_an_unknown_name_is_named() -> None:
    assert fault_of("1 + nobody") == cel.Fault(1, 5, "nobody is not known", "nobody")


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("decimal(params.big)", "9" * 60),
        ("decimal('1e60')", "1" + "0" * 60),
        ("decimal('-0.00')", "0"),
        ("decimal('1.5', 0)", "2"),
        ("decimal('1', 30)", "1." + "0" * 30),
        ("decimal(params.written)", "0." + "0" * 54 + "1"),
        ("strings.quote('\\a\\b\\f\\r\\t\\v\\\\')", '"\\a\\b\\f\\r\\t\\v\\\\"'),
        ("'abc'.substring(3)", ""),
        ("'abc'.substring(1, 1)", ""),
        ("'abc'.substring(0, 3)", "abc"),
        ("'a,b,c'.split(',', 1)", ["a,b,c"]),
        ("'a,b,c'.split(',', -1)", ["a", "b", "c"]),
        ("'abc'.split('', 1)", ["abc"]),
        ("'abc'.split('', 3)", ["a", "b", "c"]),
        ("'abc'.charAt(2)", "c"),
        ("'%.100f'.format([0.0])", "0." + "0" * 100),
        ("params.last", 2**63 - 1),
    ],
)
def test_it_takes_the_last_good_value(source: str, value: Any) -> None:
    written = "0." + "0" * 54 + "1"
    assert value_of(source, big="9" * 60, written=written, last=2**63 - 1) == value


@pytest.mark.parametrize(
    "source",
    [
        "decimal('1e61')",
        "decimal('1e-61')",
        "decimal('1', -1)",
        "'abc'.substring(4)",
        "'abc'.substring(-1)",
        "'abc'.substring(0, 4)",
        "'abc'.charAt(4)",
        "'abc'.charAt(-1)",
        "'%.101f'.format([0.0])",
    ],
)
def test_it_refuses_the_first_value_past_it(source: str) -> None:
    assert refusal(source)


def test_a_quoted_value_in_a_refusal_is_cut() -> None:
    said = refusal("decimal(params.long)", long="x" * 90)
    assert f"'{'x' * 40}'" in said
    assert f"'{'x' * 40}'" in refusal("date(params.long)", long="x" * 90)


def test_a_decimal_is_written_from_120_characters_and_no_more() -> None:
    assert value_of("decimal(params.long)", long="0" * 119 + "7") == "7"
    assert refusal("decimal(params.long)", long="0" * 120 + "7")


def test_the_time_zone_of_dates_is_checked_as_it_is_set() -> None:
    evening = "date('2026-11-23T20:00:00Z')"
    before = celnumbers._Zone.name
    try:
        celnumbers.set_time_zone("Asia/Shanghai")
        assert value_of(evening) == "2026-11-24"
        with pytest.raises(ZoneInfoNotFoundError):
            celnumbers.set_time_zone("Mars/Olympus")
        assert value_of(evening) == "2026-11-24"
    finally:
        celnumbers.set_time_zone(before)


def test_a_path_walks_lists_and_objects_to_the_last_element() -> None:
    scope = {"params": {"rows": [{"id": 1}, {"id": 2}], "0": "zero"}}
    assert path("params.rows[1].id").evaluate(scope) == 2
    assert path("params.rows[0].id").evaluate(scope) == 1
    with pytest.raises(ExpressionError, match="a list of 2"):
        path("params.rows[2].id").evaluate(scope)
    with pytest.raises(ExpressionError):
        path("params[0]").evaluate(scope)


def test_a_missing_key_shows_ten_of_those_there_are() -> None:
    scope = {"params": {f"k{number:02}": 1 for number in range(12)}}
    with pytest.raises(ExpressionError) as failed:
        path("params.x").evaluate(scope)
    assert "k09)" in str(failed.value)
    with pytest.raises(ExpressionError, match=r"keys: -"):
        path("params.x").evaluate({"params": {}})


def test_a_condition_is_a_boolean_and_nothing_like_it() -> None:
    assert condition("params.i == 1").evaluate({"params": {"i": 1}}) is True
    for value in (1, "true", None):
        with pytest.raises(ExpressionError):
            condition("params.i").evaluate({"params": {"i": value}})


def path(source: str) -> PathExpression:
    found = parse_path(source)
    assert found is not None
    return PathExpression(source, found)
