"""The failure matrix, as command, REST and console show it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client

from disttask_project.kernel.actor import system_actor
from execution.selectors.failures import failure_matrix
from flows.domain.catalog import CODE_ENTRIES, Catalog
from flows.domain.definition import compile_flow, pin_definition
from flows.models import Flow
from flows.services import create_flow

UNDO = {"task_name": "noop"}
SAGA: dict[str, Any] = {
    "name": "saga",
    "on_failure": "compensate",
    "tasks": [
        {"id": "pay", "task_name": "noop", "compensate": UNDO},
        {"id": "mail", "task_name": "noop", "depends_on": ["pay"]},
        {"id": "ship", "task_name": "noop", "depends_on": ["mail"], "compensate": UNDO, "when": "params.far"},
        {"id": "end", "task_name": "noop", "depends_on": ["ship"], "on_failure": "hold"},
    ],
}


def compiled(document: dict[str, Any]) -> Any:
    return compile_flow(pin_definition(document, Catalog(entries={each.name: each for each in CODE_ENTRIES})))


def test_what_may_still_be_under_way_may_undo_it() -> None:
    """By `any` a task begins while what it depends on may yet fail."""
    first, other = ({"id": name, "task_name": "noop", "compensate": UNDO} for name in ("first", "other"))
    after = {"id": "after", "task_name": "noop", "depends_on": ["first", "other"]}
    saga = {"name": "race", "on_failure": "compensate", "tasks": [first, other, after]}
    assert failure_matrix(compiled(saga), play=False).no_undo == []
    after["join"] = "any"
    assert failure_matrix(compiled(saga), play=False).no_undo == ["after"]


def test_it_tells_what_follows_each_failure() -> None:
    matrix = failure_matrix(compiled(SAGA))
    told = {(drill.task_id, drill.outcome): drill for drill in matrix.drills}
    assert matrix.no_undo == ["mail"]  # nothing that could undo `end` can fail after it
    ship = told["ship", "failed"]
    assert (ship.ran, ship.undone, ship.nothing_to_undo, ship.status) == (
        ["pay", "mail"], [["pay"]], ["mail"], "compensated",
    )  # fmt: skip
    assert told["ship", "unknown"].undone == [["ship"], ["pay"]]
    held = told["end", "failed"]
    assert (held.status, held.closed, held.waits_for, held.undone) == ("failed", False, "person", [])


def test_a_large_flow_is_sampled_or_not_played_at_all() -> None:
    tasks = [{"id": f"t{n}", "task_name": "noop", **({"depends_on": [f"t{n - 1}"]} if n else {})} for n in range(2_000)]
    matrix = failure_matrix(compiled({"name": "long", "on_failure": "fail", "tasks": tasks}), play=False)
    assert (matrix.played, matrix.is_sample, matrix.drills) == (0, True, [])


@pytest.mark.django_db
def test_command_rest_and_console_show_it(
    capsys: pytest.CaptureFixture[str], client: Client, django_user_model: Any
) -> None:
    create_flow(definition=SAGA, actor=system_actor())
    call_command("flow", "dry-run", "saga", "--failures")
    assert "ship failed: compensated; ran pay, mail; undone pay; nothing to undo: mail" in capsys.readouterr().out
    call_command("flow", "dry-run", "saga", "--failures", "--json")
    printed = json.loads(capsys.readouterr().out)
    client.force_login(django_user_model.objects.create_superuser("editor"))
    flow = Flow.objects.get()
    page = f"/admin/execution/instance/failures/{flow.pk}/1/"
    for language, words in (("en", "needs a person"), ("zh-hans", "若任务失败")):
        assert words in client.get(page, headers={"accept-language": language}).content.decode()
    assert page in client.get(f"/admin/flows/flow/{flow.pk}/version/1/").content.decode()
    assert len(printed["drills"]) == 8
