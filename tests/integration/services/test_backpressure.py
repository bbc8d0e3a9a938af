"""A backlog beyond its limit refuses starts by every way in, and says when to ask again."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.test import Client
from rest_framework.test import APIClient

from disttask_project.access.models import ApiToken
from disttask_project.kernel.actor import system_actor
from execution.models import Instance
from execution.services import backlog
from flows.services import create_flow
from tests.fakes.driving import drive, refused

pytestmark = [pytest.mark.django_db, pytest.mark.store]
MOST = 3


@pytest.fixture(autouse=True)
def _full(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Two flows, one of them with more than it may have."""
    monkeypatch.setitem(settings.DISTTASK, "LIMITS_MAX_BACKLOG", MOST)
    for name in ("full", "calm"):
        create_flow(definition={"name": name, "tasks": [{"id": "a", "task_name": "noop"}]}, actor=system_actor())
    for number in range(MOST + 1):
        backlog.forget()
        call_command("tx", "start", "full", "--id", f"O-{number}", stdout=io.StringIO())
    backlog.forget()
    yield
    backlog.forget()


@pytest.fixture
def client() -> APIClient:
    _token, plain = ApiToken.objects.create(user=User.objects.create_superuser("root"))
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {plain}")
    return client


def post(client: APIClient, path: str = "", **body: Any) -> Any:
    return client.post(f"/api/v1/transactions{path}", body, format="json")


def test_rest_says_429_and_when_to_ask_again(client: APIClient) -> None:
    answer = post(client, flow_name="full", instance_id="late")
    assert (answer.status_code, answer.json()["error"]) == (429, "BACKLOG_FULL")
    assert answer.headers["Retry-After"] == "5"
    assert not Instance.objects.filter(pk="late").exists()


def test_other_flows_start_as_ever(client: APIClient) -> None:
    assert post(client, flow_name="calm").status_code == 201


def test_what_was_started_before_is_answered_as_before(client: APIClient) -> None:
    answer = post(client, flow_name="full", instance_id="O-0")
    assert (answer.status_code, answer.json()["data"]["created"]) == (200, False)
    assert post(client, flow_name="full", instance_id="O-0", params={"other": 1}).status_code == 409


def test_each_item_of_a_bulk_has_its_own_answer(client: APIClient) -> None:
    starts = [{"flow_name": name, "instance_id": f"{name}-1"} for name in ("full", "calm")]
    items = post(client, "/bulk", transactions=starts).json()["data"]["list"]
    assert [item["code"] for item in items] == [429, 0]
    assert items[0]["retry_after"] == 5


def test_bad_input_is_told_first(client: APIClient) -> None:
    assert post(client, flow_name="full", params=[]).status_code == 422


def test_a_command_exits_with_the_code_for_later() -> None:
    out = io.StringIO()
    with pytest.raises(CommandError) as told:
        call_command("tx", "start", "full", "--json", stdout=out)
    assert told.value.returncode == 75
    assert json.loads(out.getvalue())["retry_after"] == 5


def test_the_console_says_why() -> None:
    browser = Client()
    browser.force_login(User.objects.create_superuser("li.wei"))
    page = browser.post("/admin/execution/instance/start/", {"flow": "full", "params": "{}"})
    assert "more than 3 unfinished transactions" in page.content.decode()


def test_it_starts_again_once_the_backlog_is_smaller(client: APIClient) -> None:
    assert post(client, flow_name="full").status_code == 429
    drive(a=refused())  # they wait for a person now: no backlog of the engine's
    backlog.forget()
    assert post(client, flow_name="full").status_code == 201


def test_without_a_limit_nobody_asks_the_database(client: APIClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(settings.DISTTASK, "LIMITS_MAX_BACKLOG", 0)
    assert post(client, flow_name="full").status_code == 201
    assert not backlog._known


def test_an_answer_holds_for_a_moment(client: APIClient, django_assert_num_queries: Any) -> None:
    flow_id = Instance.objects.get(pk="O-0").flow_id
    with django_assert_num_queries(1):
        assert backlog._is_beyond(flow_id, MOST)
        assert backlog._is_beyond(flow_id, MOST)
