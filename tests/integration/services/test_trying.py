"""Trying a task type: one real call, checked and recorded like any other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from rest_framework.test import APIClient

from disttask_project.audit.models import AuditEntry
from disttask_project.kernel.actor import Actor, system_actor
from disttask_project.kernel.errors import Forbidden, InvalidInput
from execution.models import Instance
from execution.services.trying import Tried, try_task
from flows.cataloguing import save_task_definition
from tests.fakes.http_server import HttpServer

pytestmark = [pytest.mark.django_db, pytest.mark.store]
ADMIN = system_actor("root")


@pytest.fixture(scope="module")
def target() -> Iterator[HttpServer]:
    with HttpServer() as server:
        yield server


def charge(target: HttpServer, path: str = "/ok") -> None:
    save_task_definition(
        name="charge",
        type="http",
        config={"url": target.url(path), "headers": {"X-Auth": "${secret:TRY_AUTH}"}},
        input_fields=[{"name": "amount", "type": "int", "required": True}],
        example={"amount": 5},
        actor=ADMIN,
    )


def attempt(target: HttpServer, path: str = "/ok", **asked: Any) -> Tried:
    charge(target, path)
    return try_task(task_name="charge", actor=ADMIN, **{"input": {"amount": "7"}, **asked})


@pytest.fixture(autouse=True)
def _secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISTTASK_SECRET_TRY_AUTH", "secret-of-the-try")


def test_it_makes_one_call_and_shows_both_sides(target: HttpServer) -> None:
    before = len(target.seen)
    tried = attempt(target)
    (seen,) = target.seen[before:]
    assert (tried.status, tried.input, tried.type) == ("success", {"amount": 7}, "http")
    assert seen.headers["x-auth"] == "secret-of-the-try"
    assert seen.headers["idempotency-key"] == tried.key
    assert tried.config["headers"] == {"X-Auth": "${secret:TRY_AUTH}"}
    assert not Instance.objects.exists()


def test_a_plain_function_is_tried_in_the_same_way() -> None:
    tried = try_task(task_name="noop", input={"a": 1}, actor=ADMIN)
    assert (tried.status, tried.result) == ("success", {"a": 1})


@pytest.mark.django_db(transaction=True)  # the backend writes on a thread of its own
def test_a_message_is_really_sent() -> None:
    tried = try_task(task_name="mq", config={"topic": "t"}, input={"a": 1}, actor=ADMIN)
    assert tried.status == "success", tried


def test_a_failure_is_an_answer_too(target: HttpServer) -> None:
    tried = attempt(target, "/status/503")
    assert (tried.status, tried.error_code) == ("failed", "HTTP_503")


def test_a_lost_answer_is_unknown(target: HttpServer) -> None:
    assert attempt(target, "/drop").status == "unknown"
    assert attempt(target, "/slow/20", timeout_seconds=0.5).error_code == "TIMEOUT"


def test_the_record_is_there_before_the_call_leaves(target: HttpServer) -> None:
    attempt(target, reason="new certificate")
    first, second = AuditEntry.objects.filter(act__in=["try_task", "tried_task"]).order_by("at", "id")
    assert (first.act, first.reason, first.after["input"]) == ("try_task", "new certificate", {"amount": 7})
    assert (second.act, second.after["status"]) == ("tried_task", "success")


@pytest.mark.parametrize(
    ("asked", "loc"),
    [
        ({"task_name": "no-such"}, ("task_name",)),
        ({"task_name": "charge", "input": {}}, ("input", "amount")),
        ({"task_name": "charge", "input": {"amount": "x"}}, ("input", "amount")),
        ({"task_name": "charge", "config": {"ulr": "x"}, "input": {"amount": 1}}, ("config", "ulr")),
        ({"task_name": "noop", "timeout_seconds": 31}, ("timeout_seconds",)),
        ({"task_name": "noop", "input": {"a": "${tasks.b.output}"}}, ("input", "a")),
    ],
)
def test_it_is_checked_as_a_definition_is(target: HttpServer, asked: dict[str, Any], loc: tuple[str, ...]) -> None:
    charge(target)
    before = len(target.seen)
    with pytest.raises(InvalidInput) as caught:
        try_task(actor=ADMIN, **asked)
    assert loc in [problem.loc for problem in caught.value.problems]
    assert len(target.seen) == before


def test_only_who_may_tries() -> None:
    with pytest.raises(Forbidden):
        try_task(task_name="noop", actor=Actor(name="li.wei", source="rest"))


def test_rest_and_console_try_too(target: HttpServer) -> None:
    charge(target)
    user = User.objects.create_superuser("ops", password="ops-secret-1")
    rest, web = APIClient(), Client()
    rest.force_authenticate(user)
    web.force_login(user)
    answer = rest.post("/api/v1/task-definitions/charge/try", {"input": {"amount": 1}}, format="json")
    assert (answer.status_code, answer.json()["data"]["status"]) == (200, "success")
    refused = rest.post("/api/v1/task-definitions/charge/try", {"input": {}}, format="json")
    assert (refused.status_code, refused.json()["errors"][0]["loc"]) == (422, ["input", "amount"])
    page = "/admin/execution/instance/try/charge/"
    assert b"&quot;amount&quot;: 5" in web.get(page).content
    shown = web.post(page, {"input": '{"amount": 3}', "config": "{}"}).content
    assert b"secret:TRY_AUTH" in shown
    assert b"secret-of-the-try" not in shown
    assert b"dt-tone-bad" in web.post(page, {"input": "{", "config": "[]"}).content
    assert web.get("/admin/execution/instance/try/none/").status_code == 404
