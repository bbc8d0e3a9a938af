"""What is kept beside a version, and what the engine gets of it."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from flows.domain.compiled import CompiledTask, InputField, Jitter, OnFailure, Strategy
from flows.domain.definition import RetryDefaults, compile_flow, pin_definition
from tests.unit.flows.builders import catalog, compiled, entry, flow, task

FULL: dict[str, Any] = flow(
    task("a"),
    task(
        "b",
        "a",
        task_name="charge",
        description="扣款",
        join="any",
        config={"mode": "own", "extra": "${params.x}"},
        input={"amount": "${params.amount}"},
        input_from={"code": "$.a.result.code"},
        output={"total": "${result.total}"},
        when="params.go",
        success_when="result.code == 0",
        unknown_when="result.code == 1",
        error_code="result.code",
        error_message="result.text",
        timeout_seconds=7,
        retry={
            "strategy": "auto",
            "max_attempts": 5,
            "interval": 1,
            "backoff_rate": 3,
            "max_interval": 60,
            "jitter": "full",
            "retry_on": ["HTTP_503"],
            "no_retry_on": ["X*"],
            "budget_seconds": 99,
        },
        on_failure="fail",
        optional=True,
        idempotency_key="${params.order}",
    ),
    timeout_seconds=600,
    max_parallel=4,
    tags={"order": "${params.order}"},
    output={"total": "${tasks.b.output.total}"},
    input_schema={"type": "object"},
)
CHARGE = entry("charge", InputField(name="amount", type="int", required=True), mode="entry", base=1)


def pinned(document: object = FULL, **more: Any) -> dict[str, Any]:
    return pin_definition(document, catalog(CHARGE), **more)


def compiled_task(**more: Any) -> CompiledTask:
    return compiled(flow(task("a"), task("b", "a", **more))).tasks["b"]


def test_it_is_plain_json() -> None:
    assert json.loads(json.dumps(pinned())) == pinned()


def test_it_carries_everything_to_the_engine() -> None:
    made = compile_flow(pinned())
    assert (made.name, made.timeout_seconds, made.max_parallel) == ("f", 600, 4)
    assert made.input_schema == {"type": "object"}
    assert made.on_failure is OnFailure.HOLD
    assert made.tags["order"].render({"params": {"order": "o1"}}) == "o1"
    assert made.output is not None
    assert made.output["total"].render({"tasks": {"b": {"output": {"total": 3}}}}) == 3
    assert made.dependents == {"a": ("b",), "b": ()}
    charge = made.tasks["b"]
    assert (charge.name, charge.task_name, charge.type) == ("扣款", "charge", "noop")
    assert (charge.depends_on, charge.join, charge.timeout_seconds, charge.optional) == (("a",), "any", 7, True)
    assert charge.on_failure is OnFailure.FAIL
    assert charge.fields == (InputField(name="amount", type="int", required=True),)
    assert charge.config.render({"params": {"x": 1}}) == {"mode": "own", "base": 1, "extra": 1}
    assert charge.output is not None
    assert charge.output.render({"result": {"total": 9}}) == {"total": 9}
    assert charge.idempotency_key is not None
    assert charge.idempotency_key.render({"params": {"order": 7}}) == 7


def test_its_expressions_work() -> None:
    charge = compile_flow(pinned()).tasks["b"]
    scope = {"params": {"go": True}, "result": {"code": 0, "text": "no"}, "tasks": {"a": {"result": {"code": "c"}}}}
    for expression, value in (
        (charge.when, True),
        (charge.success_when, True),
        (charge.unknown_when, False),
        (charge.error_code, 0),
        (charge.error_message, "no"),
        (charge.input_from["code"], "c"),
    ):
        assert expression is not None
        assert expression.evaluate(scope) == value


def test_it_keeps_the_whole_retry_policy() -> None:
    retry = compile_flow(pinned()).tasks["b"].retry
    assert (retry.strategy, retry.max_attempts, retry.interval, retry.backoff_rate) == (Strategy.AUTO, 5, 1, 3)
    assert (retry.max_interval, retry.jitter, retry.budget_seconds) == (60, Jitter.FULL, 99)
    assert (retry.retry_on, retry.no_retry_on) == (("HTTP_503",), ("X*",))


@pytest.mark.parametrize(
    ("of_flow", "of_task", "retry", "strategy"),
    [
        ("hold", None, None, "manual"),
        ("fail", None, None, "no_retry"),
        ("hold", "fail", None, "no_retry"),
        ("fail", "hold", None, "manual"),
        ("fail", None, {"strategy": "manual"}, "manual"),
        ("hold", None, {"strategy": "no_retry"}, "no_retry"),
        ("hold", None, {"max_attempts": 1}, "auto"),
        ("hold", None, {}, "auto"),
    ],
)
def test_without_a_word_the_retry_follows_the_failure_rule(
    of_flow: str, of_task: str | None, retry: dict[str, Any] | None, strategy: str
) -> None:
    more = {key: value for key, value in (("on_failure", of_task), ("retry", retry)) if value is not None}
    made = compiled(flow(task("a", **more), on_failure=of_flow)).tasks["a"]
    assert made.retry.strategy == strategy
    assert made.on_failure == (of_task or of_flow)


def test_it_pins_the_retry_defaults_of_the_day() -> None:
    defaults = RetryDefaults(max_attempts=9, interval=2.5)
    for document in (flow(), flow(task(retry={"strategy": "auto"}))):
        retry = compile_flow(pinned(document, defaults=defaults)).tasks["a"].retry
        assert (retry.max_attempts, retry.interval) == (9, 2.5)
    said = (
        compile_flow(pinned(flow(task(retry={"max_attempts": 0, "interval": 0})), defaults=defaults)).tasks["a"].retry
    )
    assert (said.max_attempts, said.interval) == (0, 0)


def test_tasks_come_in_topological_order() -> None:
    made = compiled(flow(task("c", "b"), task("b", "a"), task("a")))
    assert list(made.tasks) == ["a", "b", "c"]


def test_what_is_left_out_has_its_default() -> None:
    made = compiled_task()
    assert (made.name, made.join, made.timeout_seconds, made.optional) == ("noop", "all", 30, False)
    assert made.config.render({}) == {}
    assert made.config.is_constant
    for nothing in (made.output, made.when, made.success_when, made.error_code, made.idempotency_key):
        assert nothing is None
    assert (made.input, made.input_from, made.fields) == ({}, {}, ())
    plain = compiled(flow())
    assert (plain.timeout_seconds, plain.max_parallel, plain.output, plain.input_schema, plain.tags) == (
        None,
        None,
        None,
        None,
        {},
    )


def test_the_seeds_output_name_means_the_whole_result() -> None:
    output = compiled_task(output="paid").output
    assert output is not None
    assert output.render({"result": [1]}) == {"paid": [1]}


def test_an_empty_output_is_not_the_whole_result() -> None:
    output = compiled_task(output={}).output
    assert output is not None
    assert output.render({}) == {}
    assert compiled(flow(output={})).output == {}


def test_dependencies_named_twice_count_once() -> None:
    made = compiled(flow(task("a"), task("b", "a", "a", input_from={"x": "$.a.result", "y": "$.a.output"}, join=1)))
    assert made.tasks["b"].depends_on == ("a",)
    assert made.tasks["b"].join == 1


def test_defaults_of_fields_survive_the_store() -> None:
    fields = (InputField(name="x", type="int", default=None, has_default=True), InputField(name="y", type="*"))
    made = compile_flow(json.loads(json.dumps(pin_definition(flow(task(task_name="e")), catalog(entry("e", *fields))))))
    assert made.tasks["a"].fields == fields


def test_an_edited_entry_does_not_touch_what_is_pinned() -> None:
    kept = pinned(flow(task(task_name="charge", config={"own": 1})))
    assert kept["tasks"][0]["config"] == {"mode": "entry", "base": 1, "own": 1}


def test_ten_thousand_tasks_compile_within_two_seconds() -> None:
    tasks = [
        task(f"t{number}", *([f"t{number - 1}"] if number else []), when=f"params.a{number % 100} > 1")
        for number in range(10_000)
    ]
    kept = pinned(flow(*tasks))
    started = time.process_time()
    assert len(compile_flow(kept).tasks) == 10_000
    assert time.process_time() - started < 2
