"""How a check answers: hints, limits, warnings, and the forms it hands on."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from disttask_project.kernel.errors import InvalidInput
from flows.domain.catalog import Catalog, CatalogEntry
from flows.domain.compiled import InputField
from flows.domain.definition import check_definition, document_schema, pin_definition, prepare_definition
from tests.unit.flows.builders import catalog, entry, flow, found, messages, report, task, types, warned

FIRST = ("tasks", 0)


def test_it_names_the_nearest_name() -> None:
    hints = messages(
        flow(
            task("reserve", dependson=[]),
            task("b", "reserv"),
            task("c", "reserve", task_name="htp"),
            task("d", "reserve", when="tasks.reserves.output.x"),
            task("e", when="parms.x"),
        )
    )
    assert hints == [
        "Unknown key dependson; did you mean depends_on?",
        "There is no task reserv; did you mean reserve?",
        "There is no task type htp; did you mean http?",
        "Line 1, column 1: There is no task reserves; did you mean reserve?",
        "Line 1, column 1: parms is not known; did you mean params?",
    ]
    hints = messages(
        flow(
            task("reserve"),
            task("b", "reserv"),
            task("c", "reserve", task_name="htpp"),
            task("d", "reserve", when="tasks.reserves.output.x"),
            task("e", when="parms.x"),
            task("f", "zzz", task_name="qqqqqq", when="tasks.zzz.output"),
        )
    )
    assert "did you mean reserve?" in hints[0]
    assert hints[1] == "There is no task zzz in this flow."
    assert "did you mean http?" in hints[2]
    assert "did you mean reserve?" in hints[3]
    assert "did you mean params?" in hints[4]
    assert hints[5] == "There is no task type qqqqqq in the catalog."
    assert hints[6].endswith("There is no task zzz in this flow.")


def test_it_names_a_cycle_in_order() -> None:
    document = flow(task("a", "c"), task("b", "a"), task("c", "b"), task("d", "c"))
    assert messages(document) == ["The tasks wait for each other: a -> b -> c -> a."]


def test_it_shortens_a_long_cycle() -> None:
    ring = [task(f"t{number}", f"t{(number - 1) % 50}") for number in range(50)]
    assert "..." in messages(flow(*ring))[0]


def test_it_reports_all_problems_at_once() -> None:
    document = flow(
        task("a", "nope", when="1 +", task_name="nope"),
        task("b", "c", input={"x": "${foo}"}),
        task("c", "b", join=5),
        input_schema={"type": 7},
    )
    assert {code for _, code in found(document)} >= {
        "unknown_dependency",
        "cycle",
        "bad_expression",
        "unknown_task_name",
        "unknown_root",
        "join_too_large",
        "bad_schema",
    }


def test_it_counts_what_it_does_not_list() -> None:
    problems = report(flow(**{f"key{number}": 1 for number in range(700)})).problems
    assert len(problems) == 501
    assert (problems[-1].code, problems[-1].message) == ("too_many_problems", "200 more problems are not listed.")


def test_a_type_that_is_not_installed_is_named() -> None:
    gone = CatalogEntry(name="gone", type="soap")
    assert found(flow(task(task_name="gone")), gone) == [((*FIRST, "task_name"), "unknown_type")]


def test_it_checks_constant_inputs_against_the_fields() -> None:
    charge = entry("charge", InputField(name="amount", type="int"), InputField(name="at", type="time"))
    document = flow(task(task_name="charge", input={"amount": "abc", "at": "${params.at}", "to": 1}))
    assert found(document, charge) == [((*FIRST, "input", "amount"), "wrong_type")]
    assert warned(document, charge) == [((*FIRST, "input", "to"), "unknown_input")]


def test_it_refuses_a_timeout_above_the_engines() -> None:
    assert found(flow(task(timeout_seconds=601)), max_task_timeout=600) == [
        ((*FIRST, "timeout_seconds"), "timeout_too_long")
    ]
    assert found(flow(task(timeout_seconds=600)), max_task_timeout=600) == []


@pytest.mark.parametrize(
    ("document", "warning"),
    [
        (flow(task(task_name="mq", retry={"strategy": "auto"})), ((*FIRST, "retry"), "not_idempotent")),
        (flow(task(idempotency_key="fixed")), ((*FIRST, "idempotency_key"), "constant_key")),
        (
            flow(task(), input_schema={"properties": {"x": {}}}),
            (("input_schema", "properties", "x"), "unused_parameter"),
        ),
    ],
)
def test_it_warns(document: object, warning: tuple[Any, str]) -> None:
    assert found(document) == []
    assert warned(document) == [warning]


@pytest.mark.parametrize(
    "document",
    [
        flow(task(input={"a": "${params.x}"}), input_schema={"properties": {"x": {}}}),
        flow(task(input={"a": "${params}"}), input_schema={"properties": {"x": {}}}),
        flow(task(when="params.x > 1"), input_schema={"properties": {"x": {}, "a": {}, "noop": {}}}),
        flow(task(), input_schema={"type": "object"}),
        flow(task(), input_schema=True),
        flow(task(task_name="rpc", retry={"strategy": "auto"})),
    ],
)
def test_it_does_not_warn_without_need(document: object) -> None:
    assert (found(document), warned(document)) == ([], [])


def test_too_many_expressions_are_refused_once() -> None:
    values = ["${params.x}" * 1000] * 101
    assert [code for _, code in found(flow(task(input={"x": values})))] == ["too_many_expressions"]


def test_it_takes_ten_thousand_tasks_within_two_seconds() -> None:
    tasks = [
        task(f"t{number}", *([f"t{number - 1}"] if number else []), config={"n": number}) for number in range(10_000)
    ]
    started = time.process_time()
    assert found(flow(*tasks)) == []
    assert time.process_time() - started < 2
    assert found(flow(*tasks, task("one-more"))) == [(("tasks",), "too_many_tasks")]


def test_it_names_ten_thousand_wrong_keys_in_time() -> None:
    tasks = [task(f"t{number}", dependson=[], nonsense=1) for number in range(5_000)]
    started = time.process_time()
    assert len(report(flow(*tasks)).problems) == 501
    assert time.process_time() - started < 3


def test_pinning_a_wrong_definition_raises_its_problems() -> None:
    with pytest.raises(InvalidInput) as refused:
        pin_definition(flow(task("a", "b")), catalog())
    assert refused.value.symbol == "INVALID_DEFINITION"
    assert [problem.code for problem in refused.value.problems] == ["unknown_dependency"]


def test_preparing_gives_report_document_and_pinned_form() -> None:
    prepared = prepare_definition(json.dumps(flow()), catalog=catalog())
    assert prepared.document == flow()
    assert prepared.pinned is not None
    assert prepare_definition("{", catalog=catalog()).document is None
    wrong = prepare_definition(flow(task("a", "b")), catalog=catalog())
    assert (wrong.pinned, wrong.document, wrong.report.is_valid) == (None, flow(task("a", "b")), False)


def test_the_name_it_is_saved_under_counts() -> None:
    named = prepare_definition({"tasks": [task()]}, catalog=catalog(), name="order")
    assert named.document == {"name": "order", "tasks": [task()]}
    other = prepare_definition(flow(), catalog=catalog(), name="order")
    assert other.document == flow()
    assert other.pinned is not None
    assert other.pinned["name"] == "order"


def test_the_schema_lists_every_key() -> None:
    schema = document_schema()
    assert set(schema["properties"]) >= {"name", "tasks", "tags", "output", "input_schema", "max_parallel"}
    assert "idempotency_key" in schema["$defs"]["TaskShape"]["properties"]


def test_the_catalog_of_the_check_is_the_one_given() -> None:
    own = CatalogEntry(name="http", type="noop")
    assert check_definition(
        flow(task(task_name="http")), catalog=Catalog(entries={"http": own}, types=types())
    ).is_valid
