"""Every way to be wrong gets its status, its symbol and every problem, in the envelope and in both languages."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import OperationalError
from rest_framework.test import APIClient

from execution.models import Instance
from flows.models import Flow
from tests.integration.api.conftest import TWO_STEPS

pytestmark = [pytest.mark.django_db, pytest.mark.store]
URL = "/api/v1/transactions"


def raw(client: APIClient, content: bytes, media: str = "application/json", url: str = URL) -> Any:
    body: Any = content
    return client.generic("POST", url, body, content_type=media)


def check(answer: Any, status: int, symbol: str) -> dict[str, Any]:
    body: dict[str, Any] = answer.json()
    assert (answer.status_code, body["code"], body["error"]) == (status, status, symbol)
    assert body["message"]
    assert body["request_id"]
    assert isinstance(body["errors"], list)
    return body


@pytest.mark.parametrize(
    "content",
    [
        b"{",
        b'{"a": NaN}',
        b'{"a": 1, "a": 2}',
        b'{"a": 99999999999999999999}',
        b"[" * 5000,
        b'{"a": "\\u0000"}',
        b"\xff\xfe",
        b'{"a": 1e999}',
        b'{"a": "\\ud800"}',
    ],
)
def test_broken_json_is_400(admin: APIClient, content: bytes) -> None:
    check(raw(admin, content), 400, "BAD_JSON")


def test_who_is_not_known_is_401(client_of: Callable[[str], APIClient]) -> None:
    anonymous = client_of("anonymous")
    answer = anonymous.get(URL)
    check(answer, 401, "UNAUTHENTICATED")
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    anonymous.credentials(HTTP_AUTHORIZATION="Bearer " + "0" * 64)
    check(anonymous.get(URL), 401, "BAD_TOKEN")
    anonymous.credentials(HTTP_AUTHORIZATION="Bearer two words")
    check(anonymous.get(URL), 401, "BAD_TOKEN")


def test_who_may_not_is_403_and_told_which_permission(client_of: Callable[[str], APIClient], flow: Flow) -> None:
    body = check(client_of("viewer").post(URL, {"flow_name": flow.name}, format="json"), 403, "FORBIDDEN")
    assert "execution.start_instance" in body["message"]


def test_the_protocols_own_faults_are_in_the_envelope(admin: APIClient) -> None:
    check(admin.delete(URL), 405, "METHOD_NOT_ALLOWED")
    check(raw(admin, b"a=1", "application/x-www-form-urlencoded"), 415, "UNSUPPORTED_MEDIA_TYPE")
    check(admin.get(URL, HTTP_ACCEPT="application/xml"), 406, "NOT_ACCEPTABLE")
    check(admin.get("/api/v1/nothing"), 404, "NOT_FOUND")
    assert "slash" in check(admin.get(URL + "/"), 404, "NOT_FOUND")["message"]


def test_a_body_beyond_the_limit_is_413(admin: APIClient, settings: Any) -> None:
    settings.DISTTASK = {**settings.DISTTASK, "API_MAX_BODY_BYTES": 100}
    body = check(raw(admin, b'{"a": "' + b"x" * 200 + b'"}'), 413, "BODY_TOO_LARGE")
    assert "100" in body["message"]


def test_a_token_that_asks_too_much_is_429(admin: APIClient, settings: Any) -> None:
    settings.DISTTASK = {**settings.DISTTASK, "API_REQUESTS_A_MINUTE": 2}
    answers = [admin.get("/api/v1/tokens") for _ in range(6)]
    # The window may turn once between two requests.
    limited = [answer for answer in answers if answer.status_code == 429]
    assert limited
    check(limited[0], 429, "TOO_MANY_REQUESTS")
    assert 1 <= int(limited[0].headers["Retry-After"]) <= 60


def test_a_database_that_is_away_is_503(admin: APIClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(**_named: Any) -> None:
        raise OperationalError("gone away")

    monkeypatch.setattr("execution.selectors.instances.list_instances", gone)
    answer = admin.get(URL)
    check(answer, 503, "UNAVAILABLE")
    assert answer.headers["Retry-After"] == "2"
    assert "gone away" not in answer.content.decode()


def test_our_own_fault_is_a_500_that_tells_nothing(admin: APIClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(**_named: Any) -> None:
        raise ZeroDivisionError("secret inside")

    monkeypatch.setattr("execution.selectors.instances.list_instances", broken)
    assert "secret" not in str(check(admin.get(URL), 500, "INTERNAL"))


def test_every_fault_of_a_body_is_named_at_once(admin: APIClient, flow: Flow) -> None:
    body = check(
        admin.post(
            URL,
            {"flow_nam": "x", "version": "1", "instance_id": "", "zzz": 1, "flow_name": "two-steps"},
            format="json",
        ),
        422,
        "INVALID_INPUT",
    )
    found = {(tuple(problem["loc"]), problem["code"]) for problem in body["errors"]}
    assert found == {
        (("flow_nam",), "unknown_key"),
        (("zzz",), "unknown_key"),
        (("version",), "wrong_type"),
        (("instance_id",), "too_short"),
    }
    assert "flow_name" in next(problem["message"] for problem in body["errors"] if problem["loc"] == ["flow_nam"])


@pytest.mark.parametrize(
    ("change", "loc"),
    [
        ({"params": [1]}, ["params"]),
        ({"params": {"amount": "much", "order": "7"}}, ["params", "amount"]),
        ({"instance_id": "a b"}, ["instance_id"]),
        ({"instance_id": "x" * 65}, ["instance_id"]),
        ({"tags": {"a": 1}}, ["tags", "a"]),
        ({"tags": {"a": "x" * 256}}, ["tags", "a"]),
        ({"tags": {str(n): "x" for n in range(16)}}, ["tags"]),
        ({"tags": ["a"]}, ["tags"]),
        ({"params": {}}, ["tags", "order"]),
        ({"flow_id": "x"}, ["flow_id"]),
        ({"flow_name": None}, ["flow_id"]),
    ],
)
def test_a_start_with_bad_content_is_422(admin: APIClient, flow: Flow, change: dict[str, Any], loc: list[Any]) -> None:
    body = check(
        admin.post(URL, {"flow_name": "two-steps", "params": {"order": "7"}} | change, format="json"),
        422,
        "INVALID_INPUT",
    )
    assert loc in [problem["loc"] for problem in body["errors"]]
    assert not Instance.objects.exists()


def test_a_body_that_is_no_object_is_422(admin: APIClient) -> None:
    check(raw(admin, b"[1]"), 422, "INVALID_INPUT")
    check(raw(admin, b'"text"'), 422, "INVALID_INPUT")


@pytest.mark.parametrize(
    "query",
    ["stat=failed", "status=broken", "since=yesterday", "page=0", "page_size=201", "cursor=xx", "ordering=params"],
)
def test_a_query_that_is_not_known_is_422(admin: APIClient, query: str) -> None:
    body = check(admin.get(f"{URL}?{query}"), 422, "INVALID_INPUT")
    assert body["errors"][0]["loc"] == [query.split("=", maxsplit=1)[0]]


def test_flows_that_may_not_start_say_why(admin: APIClient, flow: Flow) -> None:
    def start(**body: Any) -> Any:
        return admin.post(URL, {"params": {"order": "7"}} | body, format="json")

    check(start(flow_name="nothing"), 404, "FLOW_NOT_FOUND")
    check(start(flow_name=flow.name, version=9), 404, "VERSION_NOT_FOUND")
    admin.put(f"/api/v1/flows/{flow.pk}?draft=true", {"definition": TWO_STEPS}, format="json")
    check(start(flow_name=flow.name, version=2), 409, "FLOW_NOT_PUBLISHED")
    admin.post(f"/api/v1/flows/{flow.pk}/deactivate")
    check(start(flow_name=flow.name), 409, "FLOW_INACTIVE")


@pytest.mark.parametrize(("asked", "given"), [("zh-CN", "zh-hans"), ("zh-hans", "zh-hans"), ("en", "en"), ("fr", "en")])
def test_the_language_follows_the_header_and_the_query(admin: APIClient, asked: str, given: str) -> None:
    by_header = admin.get(f"{URL}/nothing", HTTP_ACCEPT_LANGUAGE=asked)
    assert by_header.headers["Content-Language"] == given
    by_query = admin.get(f"{URL}/nothing?lang={asked}", HTTP_ACCEPT_LANGUAGE="en")
    assert by_query.json()["message"] == by_header.json()["message"]
    assert by_query.json()["error"] == "NOT_FOUND"
