"""Acts on targets by every way in: permission, reason, time, what is recorded, and what readers then see."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from rest_framework.test import APIClient

from disttask_project.audit.models import AuditEntry
from disttask_project.kernel.actor import system_actor
from execution.engine.loading import current_store
from execution.models import Instance
from execution.selectors.diagnosis import waiting_reason
from execution.selectors.tasks import instance_detail
from execution.services.start import start_instance
from execution.stores.targets import Report
from execution.target_models import Parked, Target
from flows.services import create_flow
from tests.console.conftest import as_role  # noqa: F401  a fixture
from tests.integration.api.conftest import admin, client_of  # noqa: F401  fixtures

pytestmark = [pytest.mark.django_db, pytest.mark.store]
BANK = "http:bank.example:443"
URL = f"/api/v1/targets/{BANK}"


@pytest.fixture(autouse=True)
def bank() -> Target:
    """Called 40 times in the last minute by one driver, 10 of them in vain."""
    now = datetime.now(UTC)
    window = [[now.timestamp() - 5, 40, 10, {"20": 40}]]
    current_store().targets.report("driver", [Report(target_id=BANK, window=window)], now=now)
    return Target.objects.get()


def soon(seconds: float = 3600) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()


def post(client: APIClient, path: str, **body: Any) -> Any:
    return client.post(f"{URL}/{path}", body, format="json")


def parked(code: str = "breaker") -> Instance:
    """An instance that a driver gave back for the bank."""
    create_flow(definition={"name": "one", "tasks": [{"id": "a", "task_name": "noop"}]}, actor=system_actor())
    start_instance(actor=system_actor(), flow_name="one", instance_id="O-1")
    until = datetime.now(UTC).replace(microsecond=0) + timedelta(minutes=20)
    Instance.objects.filter(pk="O-1").update(status="running", wake_at=until)
    Parked.objects.create(instance_id="O-1", target_id=BANK, task_id="a", code=code, until=until)
    return Instance.objects.get(pk="O-1")


def test_rest_lists_them_with_their_figures(admin: APIClient) -> None:  # noqa: F811
    (shown,) = admin.get("/api/v1/targets").json()["data"]["list"]
    assert shown["id"] == BANK
    assert (shown["type"], shown["address"], shown["state"]) == ("http", "bank.example:443", "closed")
    assert (shown["calls"], shown["errors"], shown["error_rate"]) == (40, 10, 0.25)
    assert shown["p95_ms"] == pytest.approx(32.0)


def test_a_window_of_maintenance(admin: APIClient) -> None:  # noqa: F811
    answer = post(admin, "open", reason="maintenance", until=soon())
    assert answer.status_code == 200, answer.content
    data = answer.json()["data"]
    assert (answer.status_code, data["state"], data["forced"], data["forced_by"]) == (200, "open", "open", "admin")
    row = Target.objects.get()
    assert (row.acts, row.rev) == (True, 1)
    entry = AuditEntry.objects.get(act="target.open")
    assert (entry.object_id, entry.reason, entry.actor, entry.source) == (BANK, "maintenance", "admin", "rest")
    assert post(admin, "close", reason="done").json()["data"]["state"] == "closed"
    assert Target.objects.get().opens == 1  # comes back by the ramp


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("open", {}, "reason"),
        ("open", {"reason": " "}, "reason"),
        ("open", {"reason": "x", "until": "yesterday"}, "until"),
        ("open", {"reason": "x", "until": "2001-01-01T00:00:00Z"}, "until"),
        ("limits", {"reason": "x", "concurrency": -1}, "concurrency"),
        ("limits", {"reason": "x", "rate": "fast"}, "rate"),
    ],
)
def test_bad_input_names_its_field(admin: APIClient, path: str, body: dict[str, Any], field: str) -> None:  # noqa: F811
    answer = post(admin, path, **body)
    assert answer.status_code == 422
    assert [problem["loc"] for problem in answer.json()["errors"]] == [[field]]
    assert Target.objects.get().rev == 0


@pytest.mark.parametrize("target", ["bank.example", "ftp:bank", "http:", "http:" + "x" * 300])
def test_what_is_no_target_is_not_found(admin: APIClient, target: str) -> None:  # noqa: F811
    answer = admin.post(f"/api/v1/targets/{target}/open", {"reason": "x"}, format="json")
    assert (answer.status_code, answer.json()["error"]) == (404, "TARGET_NOT_FOUND")
    assert admin.get(f"/api/v1/targets/{target}").status_code == 404


def test_a_target_may_be_opened_before_its_first_call(admin: APIClient) -> None:  # noqa: F811
    answer = admin.post("/api/v1/targets/mq:orders/open", {"reason": "not ready yet"}, format="json")
    assert (answer.status_code, answer.json()["data"]["state"]) == (200, "open")


def test_limits_win_over_the_configuration_and_go_again(admin: APIClient) -> None:  # noqa: F811
    data = post(admin, "limits", reason="contract", concurrency=20, rate=12.5).json()["data"]
    assert (data["concurrency"], data["rate"], data["limits_from"]) == (20, 12.5, "person")
    data = post(admin, "limits", reason="no more").json()["data"]
    assert (data["concurrency"], data["rate"], data["limits_from"]) == (0, 0.0, "")


def test_who_waits_is_told_for_what(admin: APIClient) -> None:  # noqa: F811
    parked()
    post(admin, "open", reason="maintenance", until=soon())
    waiting = admin.get("/api/v1/transactions/O-1/diagnosis").json()["data"]["waiting"]
    assert waiting["code"] == "breaker_open"
    assert waiting["message"] == f"The breaker of {BANK} was opened by admin: maintenance"
    assert waiting["until"] == admin.get(URL).json()["data"]["until"]
    assert admin.get(URL).json()["data"]["parked"] == 1


@pytest.mark.parametrize(
    ("state", "code", "word"),
    [("open", "breaker", "is open"), ("half_open", "breaker", "half-open"), ("closed", "limit", "limit is used up")],
)
def test_each_state_has_its_words(state: str, code: str, word: str) -> None:
    row = parked(code)
    Target.objects.update(state=state)
    found = waiting_reason(instance_detail(row.pk), now=datetime.now(UTC))
    assert found is not None
    assert word in found.message


def test_one_that_has_moved_on_is_parked_no_more() -> None:
    row = parked()
    Instance.objects.filter(pk=row.pk).update(wake_at=datetime.now(UTC))
    found = waiting_reason(instance_detail(row.pk), now=datetime.now(UTC))
    assert found is not None
    assert found.code == "no_worker"


def test_the_command_does_the_same() -> None:
    def run(*words: str) -> Any:
        out = io.StringIO()
        call_command("target", *words, "--json", stdout=out)
        return json.loads(out.getvalue())

    assert [each["id"] for each in run("list")] == [BANK]
    assert run("open", BANK, "--reason", "maintenance", "--until", soon())["state"] == "open"
    assert run("limit", BANK, "--reason", "contract", "--concurrency", "3")["concurrency"] == 3
    assert run("close", BANK, "--reason", "done")["state"] == "closed"
    with pytest.raises(CommandError, match="no target"):
        run("open", "nonsense", "--reason", "x")
    with pytest.raises(CommandError, match="no time with a zone"):
        run("open", BANK, "--reason", "x", "--until", "tomorrow")


def test_the_console_shows_and_acts(as_role: Callable[..., Client]) -> None:  # noqa: F811
    browser = as_role("operator", "en")
    page = browser.get("/admin/execution/target/").content.decode()
    assert BANK in page
    assert "25.0 %" in page
    browser.post(f"/admin/execution/target/{BANK}/act/", {"act": "open", "reason": "maintenance", "until": ""})
    assert Target.objects.get().forced == "open"
    browser.post(f"/admin/execution/target/{BANK}/act/", {"act": "limit", "reason": "x", "rate": "much"})
    assert Target.objects.get().rate is None
    assert "Must be a number." in browser.get("/admin/execution/target/").content.decode()


def test_who_may_only_look_gets_no_buttons(as_role: Callable[..., Client]) -> None:  # noqa: F811
    browser = as_role("viewer", "en")
    assert "Send no calls" not in browser.get("/admin/execution/target/").content.decode()
    browser.post(f"/admin/execution/target/{BANK}/act/", {"act": "open", "reason": "maintenance"})
    assert Target.objects.get().forced == ""


def test_prometheus_sees_them(admin: APIClient) -> None:  # noqa: F811
    text = admin.get("/metrics").content.decode()
    assert f'disttask_target_errors{{target="{BANK}"}} 10.0' in text
    assert f'disttask_target_open{{target="{BANK}"}} 0.0' in text
