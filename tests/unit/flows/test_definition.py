"""What is refused at save, each with its place and code; all at once."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from disttask_project.kernel.errors import InvalidInput
from flows.domain.catalog import Catalog, CatalogEntry
from flows.domain.compiled import InputField
from flows.domain.definition import check_definition, document_schema, pin_definition, prepare_definition
from tests.unit.flows.builders import catalog, compiled, entry, flow, found, messages, report, task, types, warned

SEED = sorted(path for path in Path("tests/fixtures/seed").glob("*.json") if path.name != "params.json")
FIRST = ("tasks", 0)


@pytest.mark.parametrize("path", SEED, ids=lambda path: path.stem)
def test_it_accepts_the_seed_as_it_stands(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    # A db task without connection uses the one named default, an http task needs its url: as the seed has them.
    for document in (text, text.encode(), json.loads(text)):
        assert report(document).problems == ()


def test_the_seeds_path_brings_its_dependency() -> None:
    passing = compiled(Path("tests/fixtures/seed/passing.json").read_text(encoding="utf-8"))
    assert passing.tasks["task_2"].depends_on == ("task_1",)
    assert passing.dependents["task_1"] == ("task_2",)


@pytest.mark.parametrize(
    ("document", "code"),
    [
        ("{", "bad_json"),
        ("", "bad_json"),
        (b"\xff", "bad_json"),
        ('{"name": "a", "name": "b"}', "bad_json"),
        ('{"name": NaN}', "bad_json"),
        ("[]", "wrong_type"),
        ("7", "wrong_type"),
        (None, "wrong_type"),
        ([], "wrong_type"),
        ({"name": object()}, "bad_json"),
        ({"name": {1: 2}}, "bad_json"),
        ({"name": float("nan")}, "bad_json"),
        ({"name": "\x00"}, "bad_json"),
        ({"name": "\ud800"}, "bad_json"),
        ({"name": 2**70}, "bad_json"),
        ({"name": b"bytes"}, "bad_json"),
        ('{"name": "' + "x" * 8 * 2**20 + '"}', "too_large"),
        ({"name": "x" * 8 * 2**20}, "too_large"),
        ("中" * 4 * 2**20, "too_large"),
        ("[" * 5000 + "]" * 5000, "bad_json"),
    ],
    ids=range(20),
)
def test_it_refuses_what_is_no_document(document: object, code: str) -> None:
    assert found(document) == [((), code)]


@pytest.mark.parametrize(
    ("document", "loc", "code"),
    [
        ({"tasks": [task()]}, ("name",), "required"),
        ({"name": "f"}, ("tasks",), "required"),
        ({"name": "f", "tasks": []}, ("tasks",), "no_tasks"),
        ({"name": "", "tasks": [task()]}, ("name",), "bad_value"),
        ({"name": "x" * 256, "tasks": [task()]}, ("name",), "bad_value"),
        ({"name": 7, "tasks": [task()]}, ("name",), "wrong_type"),
        (flow(tasks={}), ("tasks",), "wrong_type"),
        ({"name": "f", "tasks": [7]}, FIRST, "wrong_type"),
        ({"name": "f", "tasks": [{"task_name": "noop"}]}, (*FIRST, "id"), "required"),
        ({"name": "f", "tasks": [{"id": "a"}]}, (*FIRST, "task_name"), "required"),
        (flow(schema_version=2), ("schema_version",), "bad_value"),
        (flow(schema_version=True), ("schema_version",), "wrong_type"),
        (flow(max_parallel=0), ("max_parallel",), "bad_value"),
        (flow(max_parallel="2"), ("max_parallel",), "wrong_type"),
        (flow(max_parallel=1.5), ("max_parallel",), "wrong_type"),
        (flow(timeout_seconds=0), ("timeout_seconds",), "bad_value"),
        (flow(timeout_seconds=True), ("timeout_seconds",), "wrong_type"),
        (flow(timeout_seconds=10**12), ("timeout_seconds",), "bad_value"),
        (flow(tags={f"t{number}": "x" for number in range(17)}), ("tags",), "bad_value"),
        (flow(tags={"a": 1}), ("tags", "a"), "wrong_type"),
        (flow(tags={"x" * 65: "a"}), ("tags", "x" * 65), "bad_value"),
        (flow(output=[]), ("output",), "wrong_type"),
        (flow(on_failure="stop"), ("on_failure",), "bad_value"),
        (flow(input_schema=7), ("input_schema",), "wrong_type"),
        (flow(input_schema={"type": "objekt"}), ("input_schema", "type"), "bad_schema"),
        (flow(input_schema={"$ref": "http://elsewhere/x"}), ("input_schema", "$ref"), "remote_reference"),
        (flow(input_schema={"$ref": "#/$defs/x"}), ("input_schema", "$ref"), "bad_reference"),
        (flow(input_schema={"pattern": "(?=x)"}), ("input_schema", "pattern"), "bad_pattern"),
        (flow(task("1a")), (*FIRST, "id"), "bad_id"),
        (flow(task("a.b")), (*FIRST, "id"), "bad_id"),
        (flow(task("a" * 65)), (*FIRST, "id"), "bad_id"),
        (flow(task("a\n")), (*FIRST, "id"), "bad_id"),
        (flow(task("é")), (*FIRST, "id"), "bad_id"),
        (flow(task(depends_on="b")), (*FIRST, "depends_on"), "wrong_type"),
        (flow(task(depends_on=[7])), (*FIRST, "depends_on", 0), "wrong_type"),
        (flow(task("a", "b")), (*FIRST, "depends_on", 0), "unknown_dependency"),
        (flow(task("a", "a")), (*FIRST, "depends_on"), "cycle"),
        (flow(task("a"), task("a")), ("tasks", 1, "id"), "duplicate_id"),
        (flow(task(join=0)), (*FIRST, "join"), "bad_value"),
        (flow(task(join="some")), (*FIRST, "join"), "bad_value"),
        (flow(task(join=True)), (*FIRST, "join"), "bad_value"),
        (flow(task("a"), task("b", "a", join=2)), ("tasks", 1, "join"), "join_too_large"),
        (flow(task(config=[])), (*FIRST, "config"), "wrong_type"),
        (flow(task(input="x")), (*FIRST, "input"), "wrong_type"),
        (flow(task(output="")), (*FIRST, "output"), "bad_value"),
        (flow(task(output=7)), (*FIRST, "output"), "bad_value"),
        (flow(task(when=True)), (*FIRST, "when"), "wrong_type"),
        (flow(task(when="")), (*FIRST, "when"), "bad_value"),
        (flow(task(optional="yes")), (*FIRST, "optional"), "wrong_type"),
        (flow(task(timeout_seconds=-1)), (*FIRST, "timeout_seconds"), "bad_value"),
        (flow(task(retry="auto")), (*FIRST, "retry"), "wrong_type"),
        (flow(task(retry={"strategy": "often"})), (*FIRST, "retry", "strategy"), "bad_value"),
        (flow(task(retry={"max_attempts": -1})), (*FIRST, "retry", "max_attempts"), "bad_value"),
        (flow(task(retry={"max_attempts": "3"})), (*FIRST, "retry", "max_attempts"), "wrong_type"),
        (flow(task(retry={"backoff_rate": 0.5})), (*FIRST, "retry", "backoff_rate"), "bad_value"),
        (flow(task(retry={"jitter": "some"})), (*FIRST, "retry", "jitter"), "bad_value"),
        (flow(task(retry={"retry_on": "HTTP_503"})), (*FIRST, "retry", "retry_on"), "wrong_type"),
        (flow(task(retry={"retry_on": ["x"] * 101})), (*FIRST, "retry", "retry_on"), "bad_value"),
        (flow(task(retry={"intervall": 1})), (*FIRST, "retry", "intervall"), "unknown_key"),
        (flow(task(task_name="nope")), (*FIRST, "task_name"), "unknown_task_name"),
        (flow(task(task_name="http")), (*FIRST, "config", "url"), "required"),
        (flow(task(task_name="http", config={"url": 7})), (*FIRST, "config", "url"), "wrong_type"),
        (flow(task(tpye="http")), (*FIRST, "tpye"), "unknown_key"),
        (flow(task(type="http")), (*FIRST, "type"), "unknown_key"),
        (flow(taks=[]), ("taks",), "unknown_key"),
        (flow(task(input_from={"x": "a.result"})), (*FIRST, "input_from", "x"), "bad_path"),
        (flow(task(input_from={"x": "$.b.result"})), (*FIRST, "input_from", "x"), "unknown_dependency"),
        (flow(task(input_from={"x": "$.a.result"})), (*FIRST, "depends_on"), "cycle"),
        (flow(task(input_from={"x": 7})), (*FIRST, "input_from", "x"), "wrong_type"),
    ],
    ids=lambda value: str(value)[:60],
)
def test_it_refuses(document: object, loc: tuple[str | int, ...], code: str) -> None:
    assert found(document) == [(loc, code)]


@pytest.mark.parametrize(
    ("document", "loc"),
    [
        (flow(vars={}), ("vars",)),
        (flow(failure_flow={"flow": "x"}), ("failure_flow",)),
        (flow(on_failure="compensate"), ("on_failure",)),
        (flow(task(on_failure="compensate")), (*FIRST, "on_failure")),
        (flow(task(compensate={})), (*FIRST, "compensate")),
        (flow(task(check={})), (*FIRST, "check")),
        (flow(task(on_unknown="hold")), (*FIRST, "on_unknown")),
        (flow({"id": "a", "type": "switch", "choices": [], "default": []}), (*FIRST, "type")),
        (flow({"id": "a", "type": "map", "items": "x", "task": {}}), (*FIRST, "type")),
        (flow({"id": "a", "type": "subflow", "flow": "x"}), (*FIRST, "type")),
        (flow({"id": "a", "type": "wait", "seconds": 3}), (*FIRST, "type")),
        (flow({"id": "a", "type": "signal", "name": "x"}), (*FIRST, "type")),
        (flow({"id": "a", "type": "approval", "roles": []}), (*FIRST, "type")),
        (flow(task(when="vars.x > 1")), (*FIRST, "when")),
        (flow(task(input={"x": "${item}"})), (*FIRST, "input", "x")),
        (flow(task(input={"x": "${index + 1}"})), (*FIRST, "input", "x")),
        (flow(task(input={"x": "${error.code}"})), (*FIRST, "input", "x")),
        (flow(task("a"), task("b", "a", input={"x": "${tasks.a.callback_url}"})), ("tasks", 1, "input", "x")),
        (flow(input_schema={"unevaluatedProperties": False}), ("input_schema", "unevaluatedProperties")),
    ],
    ids=lambda value: str(value)[:60],
)
def test_it_says_what_later_versions_will_bring(document: object, loc: tuple[str | int, ...]) -> None:
    problems = report(document).problems
    assert [(problem.loc, problem.code) for problem in problems][-1] == (loc, "not_available")
    assert "Not available yet" in problems[-1].message


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
    assert hints == ["Unknown key dependson; did you mean depends_on?"]
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
