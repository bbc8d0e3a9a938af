"""A malformed document is told everything in one go, and nothing that only follows from what was left out."""

from __future__ import annotations

from typing import Any

from flows.domain.catalog import code_catalog
from flows.domain.definition import check_definition


def problems_of(*tasks: Any, **flow: Any) -> set[tuple[tuple[str | int, ...], str]]:
    report = check_definition({"name": "f", "tasks": list(tasks), **flow}, catalog=code_catalog())
    return {(problem.loc, problem.code) for problem in report.problems}


def task(id_: str, *after: str, **more: Any) -> dict[str, Any]:
    return {
        "id": id_,
        "task_name": "http_request",
        "config": {"url": "http://a.example"},
        "depends_on": list(after),
        **more,
    }


def test_it_tells_a_cycle_beside_an_unknown_key() -> None:
    found = problems_of(task("a", "b"), task("b", "a"), descriptin="x")
    assert {code for _, code in found} == {"unknown_key", "cycle"}


def test_it_tells_an_unknown_dependency_beside_a_wrong_type() -> None:
    found = problems_of(task("a", "nobody"), task("b", timeout_seconds="soon"))
    assert (("tasks", 0, "depends_on", 0), "unknown_dependency") in found
    assert (("tasks", 1, "timeout_seconds"), "wrong_type") in found


def test_it_does_not_call_a_dependency_unknown_whose_id_is_bad() -> None:
    found = problems_of(task("1st"), task("b", "1st"))
    assert found == {(("tasks", 0, "id"), "bad_id")}


def test_it_says_nothing_of_the_config_of_a_task_without_a_name() -> None:
    found = problems_of({"id": "a", "config": {"anything": 1}}, task("b", "nobody"))
    assert found == {(("tasks", 0, "task_name"), "required"), (("tasks", 1, "depends_on", 0), "unknown_dependency")}


def test_it_goes_on_beside_a_task_that_is_no_object() -> None:
    found = problems_of("a", task("b", "nobody"))
    assert (("tasks", 0), "wrong_type") in found
    assert (("tasks", 1, "depends_on", 0), "unknown_dependency") in found


def test_it_goes_on_beside_a_composite_task() -> None:
    found = problems_of({"id": "w", "type": "wait", "seconds": 3}, task("b", "w", "nobody"))
    assert found == {(("tasks", 0, "type"), "not_available"), (("tasks", 1, "depends_on", 1), "unknown_dependency")}


def test_it_blames_no_expression_where_a_dependency_was_left_out() -> None:
    found = problems_of(task("a"), {**task("b", input={"body": "${tasks.a.output}"}), "depends_on": "a"})
    assert found == {(("tasks", 1, "depends_on"), "wrong_type")}


def test_it_leaves_the_document_as_it_was() -> None:
    document = {"tasks": [{"id": "1"}]}
    check_definition(document, catalog=code_catalog())
    assert document == {"tasks": [{"id": "1"}]}
