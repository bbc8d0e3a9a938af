"""Expressions in a definition: looked at where they stand, with line and column."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.flows.builders import flow, found, messages, report, task

FIRST = ("tasks", 0)


@pytest.mark.parametrize(
    ("field", "source", "code"),
    [
        ("when", "params.x >", "bad_expression"),
        ("when", "1 + 1", "not_boolean"),
        ("when", "'true'", "not_boolean"),
        ("when", "${params.x}", "bad_expression"),
        ("when", "result.x", "unknown_root"),
        ("when", "input.x > 1", "unknown_root"),
        ("when", "foo.x", "unknown_root"),
        ("when", "foo.x > 1", "bad_expression"),
        ("when", "tasks.b.output.x", "unknown_task"),
        ("when", "tasks.later.output.x > 1", "not_ancestor"),
        ("when", "tasks.a.output.x", "not_ancestor"),
        ("when", "tasks.before == 1", "bad_expression"),
        ("when", "tasks['be' + 'fore'].output", "bad_expression"),
        ("when", "tasks.before.outputs.x", "unknown_field"),
        ("when", "instance.name == 'x'", "unknown_field"),
        ("when", "task.name == 'x'", "unknown_field"),
        ("when", "1.5 + 1 > 2.0", "bad_expression"),
        ("when", "size(params.x) + 1.5 > 2.0", "bad_expression"),
        ("when", "params.l.exists(params, params.x)", "bad_expression"),
        ("when", "true" + " && true" * 600, "bad_value"),
        ("success_when", "result.code", None),
        ("success_when", "1", "not_boolean"),
        ("unknown_when", "result.code == 'x'", None),
        ("error_code", "result.body.code", None),
        ("error_code", "results.x", "unknown_root"),
        ("error_message", "'no: ' + result.msg", None),
        ("idempotency_key", "${params.order}:${task.id}", None),
        ("idempotency_key", "${params.order}:${task.attempt}", "bad_expression"),
        ("idempotency_key", "${result.x}", "unknown_root"),
        ("when", "tasks.before.output.x == instance.id && task.attempt > 0", None),
        ("when", "has(tasks.before.error) || tasks.before.status == 'failed'", None),
    ],
)
def test_it_looks_at_expressions_where_they_stand(field: str, source: str, code: str | None) -> None:
    document = flow(task("before"), task("a", "before", **{field: source}), task("later", "a"))
    codes = [problem.code for problem in report(document).problems]
    assert codes == ([] if code is None else [code])


def test_an_expression_that_is_too_long_says_so() -> None:
    source = "${" + "true && " * 600 + "true}"
    assert found(flow(task(input={"x": source}))) == [((*FIRST, "input", "x"), "bad_expression")]


@pytest.mark.parametrize(
    ("place", "value", "codes"),
    [
        ("config", {"a": "${input.x}"}, []),
        ("config", {"a": {"b": ["${params.x"]}}, ["bad_expression"]),
        ("config", {"a": "${result.x}"}, ["unknown_root"]),
        ("config", {"${params.x}": 1}, ["expression_in_key"]),
        ("config", {"a": "Bearer ${secret:TOKEN}"}, []),
        ("config", {"a": "${secret:1}"}, ["bad_expression"]),
        ("config", {"a": "$${secret:TOKEN}"}, ["secret_not_here"]),
        ("config", {"a": "x${[1]}"}, ["not_text"]),
        ("config", {"a": "x${{'a': 1}} ${null}"}, ["not_text", "not_text"]),
        ("config", {"a": "${'x'} $${y}"}, []),
        ("input", {"a": "${input.x}"}, ["unknown_root"]),
        ("input", {"a": "${secret:TOKEN}"}, ["secret_not_here"]),
        ("input", {"a": "${params.x} ${parms.y}"}, ["unknown_root"]),
        ("output", {"a": "${result.x}", "b": "${input.y}"}, []),
        ("output", {"a": "${resul.x}"}, ["unknown_root"]),
        ("output", "whole", []),
    ],
)
def test_it_looks_into_templates(place: str, value: Any, codes: list[str]) -> None:
    assert [problem.code for problem in report(flow(task(**{place: value}))).problems] == codes


def test_it_looks_at_the_flows_own_templates() -> None:
    document = flow(
        task(),
        tags={
            "order": "${params.order}",
            "of": "${instance.flow}",
            "bad": "${tasks.a.output}",
            "at": "${instance.created_at}",
        },
        output={"x": "${tasks.a.output.x}", "y": "${tasks.b.output}", "z": "${result}"},
    )
    assert found(document) == [
        (("tags", "bad"), "unknown_root"),
        (("tags", "at"), "unknown_field"),
        (("output", "y"), "unknown_task"),
        (("output", "z"), "unknown_root"),
    ]


def test_it_tells_line_and_column_within_the_whole_text() -> None:
    assert messages(flow(task(input={"x": "abc ${params.y} ${1 + }"})))[0].startswith("Line 1, column 23: mismatched")
    assert messages(flow(task(input={"x": "abc ${nope.y}"})))[0].startswith("Line 1, column 7: nope is not known")
    assert messages(flow(task(input={"x": "a\nb ${1\n + foo}"})))[0].startswith("Line 3, column 4: foo is not known")
    assert messages(flow(task(input={"x": "a\nb ${"})))[0].startswith("Line 2, column 3: The expression has no closing")
    assert messages(flow(task(when="true &&\n  nope.x")))[0].startswith("Line 2, column 7: nope.x is not known")
