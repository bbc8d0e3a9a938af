"""The link to what people do about a failure."""

from __future__ import annotations

from typing import Any

import pytest

from flows.domain.definition import check_definition, compile_flow, pin_definition
from tests.unit.flows.builders import catalog


def document(runbook: str | None = None, task_runbook: str | None = None) -> dict[str, Any]:
    undo = {"task_name": "noop"}
    task = {"id": "a", "task_name": "noop", "compensate": undo} | ({"runbook": task_runbook} if task_runbook else {})
    return {"name": "f", "tasks": [task, {"id": "b", "task_name": "noop"}]} | ({"runbook": runbook} if runbook else {})


def test_a_task_has_its_own_else_the_flow_s() -> None:
    flow = compile_flow(pin_definition(document("https://wiki.example/f", "http://wiki.example/a"), catalog()))
    assert flow.runbook == flow.tasks["b"].runbook == "https://wiki.example/f"
    undo = flow.tasks["a"].undo
    assert undo is not None
    assert flow.tasks["a"].runbook == undo.runbook == "http://wiki.example/a"
    assert compile_flow(pin_definition(document(), catalog())).tasks["a"].runbook == ""


@pytest.mark.parametrize(
    "address",
    ["javascript:alert(1)", "wiki/pay", "https://", "https://a:b@wiki.example", "https://wiki.example/a b", "http://["],
)
def test_it_takes_nothing_but_a_web_address(address: str) -> None:
    for found in (document(address), document(None, address)):
        (problem,) = check_definition(found, catalog=catalog()).problems
        assert problem.loc[-1] == "runbook"
