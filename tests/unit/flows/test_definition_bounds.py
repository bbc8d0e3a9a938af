"""The last value that a definition may hold, the first one it may not, and what stands for a value left out."""

from __future__ import annotations

import json
from typing import Any

import pytest

from flows.domain import diffing, expressionchecks, reading
from flows.domain.compiled import CompiledTask, InputField, Jitter, OnFailure, RetryPolicy, Strategy
from flows.domain.definition import RetryDefaults
from flows.domain.problems import Problems
from flows.domain.templates import template
from tests.unit.flows.builders import compiled, flow, found, messages, task, warned

YEAR = 31_536_000

TASK_BOUNDS: list[tuple[str, Any, Any]] = [
    ("id", "a" * 64, "a" * 65),
    ("id", "a", "1"),
    ("join", "any", "none"),
    ("timeout_seconds", 0.001, 0),
    ("timeout_seconds", YEAR, YEAR + 1),
    ("description", "d" * 65_536, "d" * 65_537),
    ("when", "true", ""),
    ("when", "true" + " " * 4092, "true" + " " * 4093),
    ("output", "${result}", ""),
    ("output", {}, 1),
    ("optional", True, 1),
]

RETRY_BOUNDS: list[tuple[str, Any, Any]] = [
    ("max_attempts", 0, -1),
    ("max_attempts", 10_000, 10_001),
    ("interval", 0, -0.5),
    ("interval", YEAR, YEAR + 1),
    ("backoff_rate", 1, 0.9),
    ("backoff_rate", 1000, 1001),
    ("max_interval", 0, -0.5),
    ("max_interval", YEAR, YEAR + 1),
    ("retry_on", ["x" * 128], ["x" * 129]),
    ("retry_on", ["x"], [""]),
    ("no_retry_on", ["x"] * 100, ["x"] * 101),
    ("budget_seconds", YEAR, YEAR + 1),
    ("budget_seconds", 0.001, 0),
]

FLOW_BOUNDS: list[tuple[str, Any, Any]] = [
    ("name", "n" * 255, "n" * 256),
    ("name", "n", ""),
    ("schema_version", 1, 0),
    ("schema_version", 1, 2),
    ("timeout_seconds", YEAR, YEAR + 1),
    ("max_parallel", 1, 0),
    ("max_parallel", 100_000, 100_001),
    ("tags", {"t" * 64: ""}, {"t" * 65: ""}),
    ("tags", {"t": "v" * 4096}, {"t": "v" * 4097}),
    ("tags", {"t": ""}, {"": ""}),
    ("input_schema", True, 1),
]


@pytest.mark.parametrize(("key", "last", "first_wrong"), TASK_BOUNDS)
def test_a_task_takes_the_last_good_value_and_no_further(key: str, last: Any, first_wrong: Any) -> None:
    assert found(flow({**task(), key: last})) == []
    [(loc, _code)] = found(flow({**task(), key: first_wrong}))
    assert loc == ("tasks", 0, key)


@pytest.mark.parametrize(("key", "last", "first_wrong"), RETRY_BOUNDS)
def test_a_retry_takes_the_last_good_value_and_no_further(key: str, last: Any, first_wrong: Any) -> None:
    assert found(flow(task(retry={key: last}))) == []
    [(loc, _code)] = found(flow(task(retry={key: first_wrong})))
    assert loc[:4] == ("tasks", 0, "retry", key)


@pytest.mark.parametrize(("key", "last", "first_wrong"), FLOW_BOUNDS)
def test_a_flow_takes_the_last_good_value_and_no_further(key: str, last: Any, first_wrong: Any) -> None:
    assert found(flow(**{key: last})) == []
    [(loc, _code)] = found(flow(**{key: first_wrong}))
    assert loc[0] == key


def test_a_join_may_want_every_dependency_but_not_one_more() -> None:
    assert found(flow(task("a"), task("b", "a", join=1))) == []
    assert messages(flow(task("a"), task("b", "a", join=2))) == ["2 can never succeed: there are 1 dependencies."]
    assert found(flow(task("a"), task("b", "a", join=0))) == [(("tasks", 1, "join"), "bad_value")]
    assert found(flow(task("a"), task("b", "a", join=True))) == [(("tasks", 1, "join"), "bad_value")]


def test_the_documented_retry_is_what_an_empty_one_means() -> None:
    expected = RetryPolicy(
        strategy=Strategy.AUTO,
        max_attempts=3,
        interval=5.0,
        backoff_rate=2.0,
        max_interval=3600.0,
        jitter=Jitter.EQUAL,
        retry_on=(),
        no_retry_on=(),
        budget_seconds=None,
    )
    assert compiled(flow(task(retry={}))).tasks["a"].retry == expected
    assert RetryPolicy(strategy=Strategy.AUTO) == expected
    assert RetryPolicy().strategy == Strategy.MANUAL
    assert (RetryDefaults().max_attempts, RetryDefaults().interval) == (3, 5.0)


def test_what_is_made_ready_without_a_word_is_wanted_and_not_optional() -> None:
    made = CompiledTask(id="a", name="a", task_name="noop", type="noop", config=template({}), retry=RetryPolicy())
    assert (made.join, made.timeout_seconds, made.optional, made.on_failure) == ("all", 30.0, False, OnFailure.HOLD)
    assert compiled(flow()).tasks["a"].timeout_seconds == 30.0
    field = InputField(name="amount", type="int")
    assert (field.required, field.default, field.has_default) == (False, None, False)


def test_the_first_expression_too_many_is_named_and_the_others_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    conditions = flow(*(task(id_, when="params.x +") for id_ in "abcd"))
    monkeypatch.setattr(expressionchecks, "MAX_EXPRESSIONS", 2)
    assert found(conditions) == [
        (("tasks", 0, "when"), "bad_expression"),
        (("tasks", 1, "when"), "bad_expression"),
        (("tasks", 2, "when"), "too_many_expressions"),
    ]


def test_a_name_in_a_message_is_cut_at_64_characters() -> None:
    long = "t" * 70
    said = [
        *messages(flow(task(when=f"tasks.{long}.output == 1"))),
        *messages(flow(task(depends_on=[long]))),
        *messages(flow(task(when=f"instance.{long} == 1"))),
        *messages(flow({**task(), long: 1})),
    ]
    assert len(said) == 4
    assert all("t" * 64 in one and "t" * 65 not in one for one in said), said


def test_a_name_that_is_nearly_right_is_cut_as_well() -> None:
    [said] = messages(flow(task("a" * 64), task("b", "a" * 64, when=f"tasks.{'a' * 70}.output == 1")))
    assert f"no task {'a' * 64}; did you mean {'a' * 64}?" in said


def test_reading_one_parameter_does_not_count_as_reading_the_others() -> None:
    schema = {"type": "object", "properties": {"x": {}, "y": {}}}
    unread = [(("input_schema", "properties", "y"), "unused_parameter")]
    assert warned(flow(task(when="params.x == 1"), input_schema=schema)) == unread
    assert warned(flow(task(when="params.x.y == 1"), input_schema=schema)) == unread
    assert warned(flow(task(when="size(params) == 1"), input_schema=schema)) == []


def test_a_doubled_id_is_told_by_the_number_of_the_first() -> None:
    assert messages(flow(task("a"), task("b"), task("b"))) == ["The id b is already that of task 2."]


def test_a_path_that_cannot_be_read_says_from_which_column_on() -> None:
    [said] = messages(flow(task("a"), task("b", "a", input_from={"x": "$.a.result[*]"})))
    assert "from column 11 on" in said


def test_a_document_may_be_as_large_as_the_limit_says(monkeypatch: pytest.MonkeyPatch) -> None:
    written = json.dumps(flow(description="中"), ensure_ascii=False)
    monkeypatch.setattr(reading, "MAX_BYTES", len(written.encode()))
    for source in (written, written.encode()):
        problems = Problems()
        assert reading.decode_document(source, problems) == flow(description="中")
        assert not problems.listed()
    monkeypatch.setattr(reading, "MAX_BYTES", len(written.encode()) - 1)
    for source in (written, written.encode()):
        problems = Problems()
        assert reading.decode_document(source, problems) is None
        assert [problem.code for problem in problems.listed()] == ["too_large"]


def test_a_difference_is_spelled_out_up_to_the_last_line_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    before, after = flow(), flow(name="g")
    monkeypatch.setattr(diffing, "MAX_LINES", 9)
    assert '-  "name": "f",\n+  "name": "g",' in diffing.diff_definitions(before, after).text
    monkeypatch.setattr(diffing, "MAX_LINES", 8)
    assert diffing.diff_definitions(before, after).text == ""


def test_a_difference_of_the_flow_keeps_the_names_of_its_sides() -> None:
    found_diff = diffing.diff_definitions(flow(), flow(name="g"), names=("version 1", "version 2"))
    assert found_diff.text.splitlines()[:2] == ["--- version 1", "+++ version 2"]
    assert found_diff.flow_keys == ["name"]
