"""The same fault has the same symbol over REST and from the command."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from rest_framework.test import APIClient

from disttask_project.kernel.actor import system_actor
from flows.services import create_flow
from tests.fakes.driving import drive, refused

pytestmark = [pytest.mark.django_db, pytest.mark.store]
URL = "/api/v1/transactions"

FAULTS: list[tuple[str, tuple[str, ...], str, dict[str, Any]]] = [
    ("FLOW_NOT_FOUND", ("tx", "start", "nothing"), URL, {"flow_name": "nothing"}),
    (
        "INSTANCE_ID_TAKEN",
        ("tx", "start", "one", "--id", "O-1", "-p", "n=2"),
        URL,
        {
            "flow_name": "one",
            "instance_id": "O-1",
            "params": {"n": 2},
        },
    ),
    ("INVALID_INPUT", ("tx", "start", "one", "--id", "a b"), URL, {"flow_name": "one", "instance_id": "a b"}),
    ("NOT_FOUND", ("tx", "retry", "nothing"), f"{URL}/nothing/retry", {}),
    ("UNKNOWN_TASK", ("tx", "retry", "O-1", "--task", "x"), f"{URL}/O-1/tasks/x/retry", {}),
    ("WRONG_STATE", ("tx", "skip", "O-1", "--task", "b", "--reason", "r"), f"{URL}/O-1/tasks/b/skip", {"reason": "r"}),
    ("NOT_PAUSED", ("tx", "resume", "O-1"), f"{URL}/O-1/resume", {}),
    ("NOT_RUNNING", ("tx", "pause", "O-1"), f"{URL}/O-1/pause", {}),
    ("NOT_FOUND", ("exceptions", "retry", "nothing"), "/api/v1/exceptions/nothing/retry", {}),
]


@pytest.fixture
def admin() -> APIClient:
    client = APIClient()
    client.force_authenticate(User.objects.create_superuser("root"))
    return client


@pytest.mark.parametrize(("symbol", "words", "url", "body"), FAULTS, ids=[fault[1][1] + fault[0] for fault in FAULTS])
def test_a_fault_has_one_symbol_everywhere(
    admin: APIClient, symbol: str, words: tuple[str, ...], url: str, body: dict[str, Any]
) -> None:
    tasks = [{"id": "a", "task_name": "noop"}, {"id": "b", "task_name": "noop"}]
    create_flow(definition={"name": "one", "tasks": tasks}, actor=system_actor())
    admin.post(URL, {"flow_name": "one", "instance_id": "O-1", "params": {"n": 1}}, format="json")
    drive(a=refused())
    over_rest = admin.post(url, body, format="json").json()
    out = io.StringIO()
    with pytest.raises(CommandError):
        call_command(*words, "--json", stdout=out)
    from_command = json.loads(out.getvalue())
    assert over_rest["error"] == from_command["error"] == symbol
    assert over_rest["message"] == from_command["message"]
    assert over_rest["errors"] == from_command["errors"]
