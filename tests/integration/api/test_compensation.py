"""Undo and retry from here over REST: the plan, the choice, what is refused, one service under REST and commands."""

from __future__ import annotations

import io
from typing import Any

import pytest
from django.core.management import call_command
from rest_framework.test import APIClient

from disttask_project.audit.models import AuditEntry
from disttask_project.kernel import json
from disttask_project.kernel.actor import system_actor
from execution.models import Attempt, Instance, Task
from flows.services import create_flow
from tests.fakes.driving import drive, refused, unknown

pytestmark = [pytest.mark.django_db, pytest.mark.store]
URL = "/api/v1/transactions"
UNDO = {"task_name": "noop"}
SAGA: dict[str, Any] = {
    "name": "saga",
    "tasks": [
        {"id": "pay", "task_name": "noop", "input": {"amount": 5}, "compensate": UNDO},
        {
            "id": "ship",
            "task_name": "noop",
            "depends_on": ["pay"],
            "compensate": {**UNDO, "input": {"why": "${error.code}", "paid": "${tasks.pay.input.amount}"}},
        },
        {"id": "tell", "task_name": "noop", "depends_on": ["ship"]},
        {"id": "end", "task_name": "noop", "depends_on": ["tell"]},
    ],
}


@pytest.fixture
def held(admin: APIClient) -> str:
    """Three tasks are done; the last has failed and waits for a person."""
    create_flow(definition=SAGA, actor=system_actor())
    admin.post(URL, {"flow_name": "saga", "instance_id": "S-1"}, format="json")
    drive(end=refused())
    return "S-1"


def post(client: APIClient, path: str, **body: Any) -> Any:
    return client.post(f"{URL}/{path}", {"reason": "agreed", **body}, format="json")


def plan_of(client: APIClient, instance_id: str) -> dict[str, Any]:
    data: dict[str, Any] = client.get(f"{URL}/{instance_id}/compensation-plan").json()["data"]
    return data


def test_the_plan_is_shown_before_anything_happens(admin: APIClient, held: str) -> None:
    plan = plan_of(admin, held)
    assert plan["ready"]
    assert [(undo["step"], undo["task_id"], undo["undo_id"]) for undo in plan["undo"]] == [
        (1, "ship", "ship.undo"),
        (2, "pay", "pay.undo"),
    ]
    assert [undo["input"] for undo in plan["undo"]] == [{"why": "CARD_DECLINED", "paid": 5}, {"amount": 5}]
    assert [task["task_id"] for task in plan["nothing_to_undo"]] == ["tell", "end"]
    assert Instance.objects.get(pk=held).status == "failed"


def test_it_undoes_all_of_it(admin: APIClient, held: str) -> None:
    answer = post(admin, f"{held}/compensate")
    assert (answer.status_code, answer.json()["data"]["status"]) == (200, "compensating")
    drive()
    instance = Instance.objects.get(pk=held)
    assert (instance.status, instance.closed) == ("compensated", True)
    keys = set(Attempt.objects.filter(task_id__endswith=".undo").values_list("key", flat=True))
    assert keys == {"S-1:pay:undo", "S-1:ship:undo"}
    entry = AuditEntry.objects.get(act="instance.compensate")
    assert (entry.reason, entry.before["status"], entry.after["status"]) == ("agreed", "failed", "compensating")
    assert not plan_of(admin, held)["ready"]


def test_it_undoes_a_part_with_a_changed_input(admin: APIClient, held: str) -> None:
    assert post(admin, f"{held}/compensate", tasks=["ship"], inputs={"ship": {"paid": 4}}).status_code == 200
    drive()
    instance = Instance.objects.get(pk=held)
    assert (instance.status, instance.needs_attention) == ("failed", True)
    assert Task.objects.get(task_id="ship.undo").input_data == {"why": "CARD_DECLINED", "paid": 4}
    assert [undo["task_id"] for undo in plan_of(admin, held)["undo"]] == ["pay"]


@pytest.mark.parametrize(
    ("body", "status", "symbol"),
    [
        ({"reason": ""}, 422, "INVALID_INPUT"),
        ({"tasks": ["pay"]}, 409, "UNDO_ORDER"),
        ({"tasks": ["tell"]}, 409, "NOT_UNDOABLE"),
        ({"tasks": ["nowhere"]}, 404, "UNKNOWN_TASK"),
        ({"tasks": [7]}, 422, "INVALID_INPUT"),
        ({"tasks": "pay"}, 422, "INVALID_INPUT"),
        ({"inputs": {"pay": 7}}, 422, "INVALID_INPUT"),
        ({"other": 1}, 422, "INVALID_INPUT"),
    ],
)
def test_it_refuses_what_cannot_be_undone_as_asked(
    admin: APIClient, held: str, body: dict[str, Any], status: int, symbol: str
) -> None:
    answer = post(admin, f"{held}/compensate", **body)
    assert (answer.status_code, answer.json()["error"]) == (status, symbol)


def test_a_stuck_undo_is_told_and_mended(admin: APIClient, held: str) -> None:
    post(admin, f"{held}/compensate")
    drive(**{"ship.undo": refused("REFUSED")})
    told = admin.get(f"{URL}/{held}/diagnosis").json()["data"]
    assert (told["cause"]["task_id"], told["waiting"]["code"]) == ("ship.undo", "undo_failed")
    assert post(admin, f"{held}/tasks/ship.undo/mark-success").status_code == 200
    drive()
    assert Instance.objects.get(pk=held).status == "compensated"


def test_it_runs_again_from_a_task(admin: APIClient, held: str) -> None:
    assert post(admin, f"{held}/tasks/ship/rerun").status_code == 200
    drive()
    assert Instance.objects.get(pk=held).status == "success"
    assert Attempt.objects.get(task_id="ship", number=2).key == "S-1:ship:r2"
    assert post(admin, f"{held}/tasks/ship/rerun").json()["error"] == "INSTANCE_ENDED"


def test_the_command_shows_the_plan_and_undoes(held: str) -> None:
    def run(*words: str) -> str:
        out = io.StringIO()
        call_command(*words, stdout=out)
        return out.getvalue()

    assert "ship" in run("tx", "compensate", held, "--dry-run")
    shown = json.loads(run("tx", "compensate", held, "--dry-run", "--json"))
    assert [undo["task_id"] for undo in shown["undo"]] == ["ship", "pay"]
    run("tx", "compensate", held, "--reason", "agreed", "--task", "pay", "--outside", "ship")
    drive()
    assert Instance.objects.get(pk=held).status == "compensated"
    assert not Attempt.objects.filter(task_id="ship.undo").exists()


def test_the_command_runs_again_from_a_task(held: str) -> None:
    call_command("tx", "rerun", held, "--task", "tell", "--reason", "agreed", stdout=io.StringIO())
    drive()
    assert Instance.objects.get(pk=held).status == "success"


def test_a_check_that_asks_is_told(admin: APIClient) -> None:
    check = {"task_name": "noop", "success_when": "result.done", "interval": 60}
    create_flow(
        definition={"name": "asked", "tasks": [{"id": "pay", "task_name": "noop", "check": check}]},
        actor=system_actor(),
    )
    admin.post(URL, {"flow_name": "asked", "instance_id": "C-1"}, format="json")
    drive(pay=unknown())
    told = admin.get(f"{URL}/C-1/diagnosis").json()["data"]["waiting"]
    assert (told["code"], told["task_ids"]) == ("checking", ["pay"])
    assert told["until"] is not None
