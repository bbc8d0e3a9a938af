"""What is refused at save, each with its place and code; all at once."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.unit.flows.builders import compiled, flow, found, report, task

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
        (flow({"id": "a", "type": "switch", "choices": [], "default": []}), (*FIRST, "type")),
        (flow({"id": "a", "type": "map", "items": "x", "task": {}}), (*FIRST, "type")),
        (flow({"id": "a", "type": "subflow", "flow": "x"}), (*FIRST, "type")),
        (flow({"id": "a", "type": "wait", "seconds": 3}), (*FIRST, "type")),
        (flow({"id": "a", "type": "signal", "name": "x"}), (*FIRST, "type")),
        (flow({"id": "a", "type": "approval", "roles": []}), (*FIRST, "type")),
        (flow(task(when="vars.x > 1")), (*FIRST, "when")),
        (flow(task(input={"x": "${item}"})), (*FIRST, "input", "x")),
        (flow(task(input={"x": "${index + 1}"})), (*FIRST, "input", "x")),
        (flow(task("a"), task("b", "a", input={"x": "${tasks.a.callback_url}"})), ("tasks", 1, "input", "x")),
        (flow(input_schema={"unevaluatedProperties": False}), ("input_schema", "unevaluatedProperties")),
    ],
    ids=lambda value: str(value)[:60],
)
def test_it_says_what_later_versions_will_bring(document: object, loc: tuple[str | int, ...]) -> None:
    problems = report(document).problems
    assert [(problem.loc, problem.code) for problem in problems][-1] == (loc, "not_available")
    assert "Not available yet" in problems[-1].message
