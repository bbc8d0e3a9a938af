from __future__ import annotations

import time
from typing import Any

import pytest

from flows.domain.problems import Problems
from flows.domain.schemas import check_schema, violations


def refused(schema: Any) -> list[tuple[Any, str]]:
    problems = Problems()
    check_schema(schema, (), problems)
    return [(problem.loc, problem.code) for problem in problems.listed()]


def against(schema: Any, value: Any) -> list[tuple[Any, str, str]]:
    problems = Problems()
    violations(value, schema, (), problems)
    return [(problem.loc, problem.code, str(problem.message)) for problem in problems.listed()]


@pytest.mark.parametrize(
    "schema",
    [
        True,
        {},
        {"type": ["string", "null"]},
        {"$defs": {"a": {"type": "integer"}}, "properties": {"x": {"$ref": "#/$defs/a"}}},
        {"$ref": "#here", "$defs": {"x": {"$anchor": "here"}}},
        {"patternProperties": {"^a": {}}, "pattern": "^a+$", "properties": {"pattern": {"type": "string"}}},
        {"allOf": [{"$ref": "#/$defs/a"}], "$defs": {"a": {"$ref": "#/$defs/a"}}},
    ],
)
def test_it_accepts_a_schema(schema: Any) -> None:
    assert refused(schema) == []


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({"type": "objekt"}, [(("type",), "bad_schema")]),
        ({"properties": []}, [(("properties",), "bad_schema")]),
        ({"$ref": "https://elsewhere/x"}, [(("$ref",), "remote_reference")]),
        ({"allOf": [{"$ref": "other.json"}]}, [(("allOf", 0, "$ref"), "remote_reference")]),
        ({"$ref": "#/nowhere"}, [(("$ref",), "bad_reference")]),
        ({"$ref": "#nowhere"}, [(("$ref",), "bad_reference")]),
        ({"pattern": "(a"}, [(("pattern",), "bad_pattern")]),
        ({"patternProperties": {"(?=a)": {}}}, [(("patternProperties", "(?=a)"), "bad_pattern")]),
        ({"unevaluatedItems": False}, [(("unevaluatedItems",), "not_available")]),
        ({"$dynamicRef": "#"}, [(("$dynamicRef",), "not_available")]),
    ],
)
def test_it_refuses_a_schema(schema: Any, expected: list[tuple[Any, str]]) -> None:
    assert refused(schema) == expected


@pytest.mark.parametrize(
    ("schema", "value", "expected"),
    [
        ({"type": "string"}, 1, ((), "wrong_type", "Must be of the type string.")),
        ({"type": ["string", "null"]}, 1, ((), "wrong_type", "Must be of the type string, null.")),
        ({"required": ["a", "b"]}, {"a": 1}, (("b",), "required", "This key is required.")),
        ({"enum": ["a", 1]}, "b", ((), "bad_value", "Must be one of: a, 1.")),
        ({"minimum": 3}, 1, ((), "bad_value", "Must be at least 3.")),
        ({"maxLength": 3}, "abcd", ((), "bad_value", "Must be at most 3.")),
        ({"pattern": "^a"}, "b", ((), "bad_value", "Must match the pattern ^a.")),
        ({"format": "date-time"}, "2026-11-23", ((), "bad_value", "Must have the format date-time.")),
        ({"format": "date-time"}, "2026-13-23T00:00:00Z", ((), "bad_value", "Must have the format date-time.")),
        ({"format": "email"}, "nobody", ((), "bad_value", "Must have the format email.")),
        ({"format": "uri"}, "not a uri", ((), "bad_value", "Must have the format uri.")),
        ({"format": "uuid"}, "x", ((), "bad_value", "Must have the format uuid.")),
        ({"multipleOf": 3}, 4, ((), "bad_value", "4 is not a multiple of 3.")),
        ({"additionalProperties": False}, {"x": 1}, (("x",), "unknown_key", "Unknown key x.")),
        ({"additionalProperties": {"type": "string"}}, {"x": 1}, (("x",), "wrong_type", "Must be of the type string.")),
        (
            {"patternProperties": {"^n_": {"type": "integer"}}},
            {"n_a": "1"},
            (("n_a",), "wrong_type", "Must be of the type integer."),
        ),
        (
            {"properties": {"a": {"items": {"minimum": 1}}}},
            {"a": [1, 0]},
            (("a", 1), "bad_value", "Must be at least 1."),
        ),
        (
            {"$defs": {"n": {"minimum": 1}}, "properties": {"a": {"$ref": "#/$defs/n"}}},
            {"a": 0},
            (("a",), "bad_value", "Must be at least 1."),
        ),
    ],
)
def test_it_tells_a_violation(schema: Any, value: Any, expected: tuple[Any, str, str]) -> None:
    assert against(schema, value) == [expected]


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"pattern": "^a"}, 7),
        ({"patternProperties": {"^a": False}}, ["a"]),
        ({"patternProperties": {"^a": {}}, "properties": {"b": {}}, "additionalProperties": False}, {"ab": 1, "b": 2}),
        ({"additionalProperties": False}, "text"),
        ({"format": "date-time"}, 7),
        ({"format": "uri"}, "https://example.com/x"),
        ({"format": "uri"}, 7),
        ({"format": "date-time"}, "2026-11-23T08:00:00.5+08:00"),
        ({"required": ["a"]}, []),
    ],
)
def test_it_lets_pass_what_a_rule_does_not_concern(schema: Any, value: Any) -> None:
    assert against(schema, value) == []


def test_a_pattern_never_runs_away() -> None:
    started = time.process_time()
    assert len(against({"pattern": "(a+)+$"}, "a" * 5000 + "b")) == 1
    assert time.process_time() - started < 1


@pytest.mark.parametrize(
    "schema",
    [
        {"$defs": {"a": {"$ref": "#/$defs/a"}}, "$ref": "#/$defs/a"},
        {
            "$defs": {"a0": {}, **{f"a{n}": {"allOf": [{"$ref": f"#/$defs/a{n - 1}"}] * 2} for n in range(1, 40)}},
            "$ref": "#/$defs/a39",
        },
    ],
    ids=["forever", "doubling"],
)
def test_references_that_lead_on_and_on_end(schema: Any) -> None:
    started = time.process_time()
    assert [code for _, code, _ in against(schema, {})] == ["bad_schema"]
    assert time.process_time() - started < 5


def test_it_stops_after_enough_violations() -> None:
    assert len(against({"items": {"type": "string"}}, list(range(1000)))) == 200


def test_a_long_reason_is_cut() -> None:
    (_, _, message) = against({"const": "x" * 1000}, "y")[0]
    assert len(message) < 310
