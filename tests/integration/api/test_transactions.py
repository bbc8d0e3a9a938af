"""Starting and reading transactions over REST."""

from __future__ import annotations

from typing import Any

import pytest
from rest_framework.test import APIClient

from execution.models import Instance, InstanceTag
from flows.models import Flow

pytestmark = [pytest.mark.django_db, pytest.mark.store]
URL = "/api/v1/transactions"


def start(client: APIClient, **body: Any) -> Any:
    return client.post(URL, {"flow_name": "two-steps", "params": {"order": "7"}} | body, format="json")


def test_it_starts_an_instance_and_says_so(admin: APIClient, flow: Flow) -> None:
    answer = start(admin, instance_id="O-1")
    assert answer.status_code == 201
    body = answer.json()
    assert (body["code"], body["message"]) == (0, "success")
    assert body["request_id"] == answer.headers["X-Request-ID"]
    assert body["data"] == {
        "instance_id": "O-1",
        "flow_id": flow.pk,
        "flow_name": "two-steps",
        "flow_version": 1,
        "status": "pending",
        "created": True,
    }
    assert Instance.objects.get(pk="O-1").create_user == "admin"
    assert list(InstanceTag.objects.values_list("key", "value")) == [("order", "7")]


def test_the_same_start_again_gives_the_first_answer(admin: APIClient, flow: Flow) -> None:
    start(admin, instance_id="O-1")
    again = start(admin, instance_id="O-1")
    assert (again.status_code, again.json()["data"]["created"]) == (200, False)
    other = start(admin, instance_id="O-1", params={"order": "8"})
    assert (other.status_code, other.json()["error"]) == (409, "INSTANCE_ID_TAKEN")


def test_it_makes_an_id_where_none_is_given(admin: APIClient, flow: Flow) -> None:
    made = start(admin).json()["data"]["instance_id"]
    assert Instance.objects.filter(pk=made).exists()
    assert start(admin).json()["data"]["instance_id"] != made


def test_a_detail_shows_tasks_that_have_not_started(admin: APIClient, started: str) -> None:
    data = admin.get(f"{URL}/{started}").json()["data"]
    assert data["status"] == "pending"
    assert data["params"] == {"order": "7"}
    assert [(task["task_id"], task["status"]) for task in data["tasks"]] == [
        ("first", "pending"),
        ("second", "pending"),
    ]
    assert data["tasks"][0]["id"] == "O-1_first"
    assert data["created_at"].endswith("Z")
