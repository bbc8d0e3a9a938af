"""Accepted JSON is what every store keeps and every peer reads alike."""

from __future__ import annotations

import json as python_json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from disttask_project.kernel import json
from disttask_project.kernel.errors import Malformed

TEXT = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=20)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(json.INT_MIN, json.INT_MAX)
    | TEXT
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)


@given(VALUES)
def test_it_reads_back_what_it_wrote(value: Any) -> None:
    assert json.fault_in(value) is None
    for read in (
        json.loads(json.dumps(value)),
        json.loads_stored(json.dumps(value)),
        json.loads(json.dumps(value).encode()),
    ):
        assert read == value
        assert repr(read) == repr(value)


@given(VALUES)
def test_equal_values_have_one_digest_whatever_their_order(value: Any) -> None:
    shuffled = python_json.loads(python_json.dumps(value, sort_keys=True))
    assert json.canonical(shuffled) == json.canonical(value)
    assert json.digest(shuffled) == json.digest(value)
    assert len(json.digest(value)) == 64


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "line 1, column 2"),
        ('{"a": 1, "a": 2}', "the key 'a' stands twice"),
        ("[NaN]", "NaN is no JSON number"),
        ("-Infinity", "no JSON number"),
        ("1e999", "out of range"),
        ("9223372036854775808", "beyond 64 bits"),
        ("-9223372036854775809", "beyond 64 bits"),
        ("1" * 5000, "beyond 64 bits"),
        ('"\\u0000"', "a NUL character"),
        ('{"\\u0000": 1}', "a NUL character"),
        ('"\\ud800"', "a lone surrogate"),
        ("[" * 101 + "]" * 101, "nesting deeper than 100"),
        ("[" * 100_000, "nested too deeply"),
        (b"\xff", "not UTF-8 (byte 0)"),
    ],
)
def test_it_refuses_what_others_would_read_differently(text: str | bytes, reason: str) -> None:
    with pytest.raises(Malformed) as caught:
        json.loads(text)
    assert reason in str(caught.value)
    assert caught.value.symbol == "BAD_JSON"


@pytest.mark.parametrize("text", ["9223372036854775807", "-9223372036854775808", "[" * 100 + "]" * 100, "-0.0"])
def test_it_takes_what_lies_at_the_limits(text: str) -> None:
    assert json.dumps(json.loads(text)) == text


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 2**63, {1: 2}, ["\x00"], {"k": "\ud800"}])
def test_it_names_the_fault_of_a_value(value: Any) -> None:
    assert json.fault_in(value)


@given(st.text())
def test_cleaned_text_can_be_stored_everywhere(text: str) -> None:
    cleaned = json.clean_text(text)
    assert json.fault_in(cleaned) is None
    if json.fault_in(text) is None:
        assert cleaned == text


@pytest.mark.parametrize(
    ("text", "clean"), [("a\x00b", "a\ufffdb"), ("a\ud800b", "a\ufffd\ufffd\ufffdb"), ("事务", "事务")]
)
def test_cleaning_marks_what_was_taken_out(text: str, clean: str) -> None:
    assert json.clean_text(text) == clean


def test_it_refuses_too_deep_a_value_of_our_own() -> None:
    value: Any = 1
    for _ in range(json.MAX_DEPTH):
        value = (value,)
    assert json.fault_in(value) == "nesting deeper than 100"
