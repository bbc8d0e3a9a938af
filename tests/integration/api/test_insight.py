"""What a person on call asks: what failed, what can mend it, why is it not moving."""

from __future__ import annotations

import pytest
from rest_framework.test import APIClient

from execution.engine.loading import current_store
from execution.models import Instance
from tests.fakes.driving import Driver, drive, refused, unknown

pytestmark = [pytest.mark.django_db, pytest.mark.store]
URL = "/api/v1/transactions/O-1"


def beat() -> None:
    store = current_store()
    store.beat("d", host="h", pid=1, kind="engine", state="running", in_flight=0, now=store.now())


@pytest.mark.usefixtures("started")
def test_a_failure_is_told_with_its_cause_and_mends(admin: APIClient) -> None:
    drive(first=refused())
    data = admin.get(f"{URL}/diagnosis").json()["data"]
    cause = data["cause"]
    assert (cause["task_id"], cause["code"], cause["message"]) == ("first", "CARD_DECLINED", "no money")
    assert (cause["attempt"], cause["response"]) == (1, {"status": 402})
    assert cause["exception_id"]
    assert [mend["act"] for mend in cause["mends"]] == [
        "retry",
        "retry_changed",
        "mark_success",
        "skip",
        "close",
        "cancel",
    ]
    assert (data["waiting"]["code"], data["waiting"]["needs_person"]) == ("person", True)


@pytest.mark.usefixtures("started")
def test_it_says_why_it_is_not_moving(admin: APIClient) -> None:
    def code() -> str:
        return str(admin.get(f"{URL}/diagnosis").json()["data"]["waiting"]["code"])

    assert code() == "no_worker"
    beat()
    assert code() == "due"
    admin.post(f"{URL}/pause")
    assert code() == "paused"
    admin.post(f"{URL}/resume")
    drive()
    answer = admin.get(f"{URL}/diagnosis").json()["data"]
    assert (answer["cause"], answer["waiting"]) == (None, None)


@pytest.mark.usefixtures("started")
def test_an_unknown_outcome_warns_before_a_retry(admin: APIClient) -> None:
    drive(first=unknown())
    cause = admin.get(f"{URL}/diagnosis").json()["data"]["cause"]
    assert cause["outcome_unknown"]
    assert "find out" in cause["mends"][0]["hint"]


@pytest.mark.usefixtures("started")
def test_tasks_attempts_logs_and_timeline_tell_the_story(admin: APIClient) -> None:
    drive(first=refused())
    admin.post(f"{URL}/tasks/first/retry")
    drive()
    attempts = admin.get(f"{URL}/tasks/first/attempts").json()["data"]["list"]
    assert [(row["number"], row["status"]) for row in attempts] == [(1, "failed"), (2, "success")]
    assert attempts[0]["input"] == {"order": "7"}
    assert attempts[0]["idempotency_key"] == attempts[1]["idempotency_key"] == "O-1:first"
    tasks = admin.get(f"{URL}/tasks").json()["data"]["list"]
    assert [(row["task_id"], row["status"]) for row in tasks] == [("first", "success"), ("second", "success")]
    assert tasks[0]["output_data"] == {"order": "7"}
    logs = admin.get(f"{URL}/logs").json()["data"]
    assert [row["seq"] for row in logs["list"]] == list(range(1, len(logs["list"]) + 1))
    assert {"start", "failed", "retry", "success", "complete"} <= {row["action"] for row in logs["list"]}
    rest = admin.get(f"{URL}/logs?after=2&page_size=2").json()["data"]
    assert [row["seq"] for row in rest["list"]] == [3, 4]
    assert rest["pagination"]["next"] == "4"
    timeline = admin.get(f"{URL}/timeline").json()["data"]["list"]
    assert [part["kind"] for part in timeline if part["task_id"] == "first"] == ["attempt", "wait", "attempt"]


@pytest.mark.usefixtures("started")
def test_a_graph_is_drawn_with_live_status(admin: APIClient) -> None:
    drive(first=refused())
    data = admin.get(f"{URL}/graph").json()["data"]
    assert [(node["id"], node["status"]) for node in data["nodes"]] == [("first", "failed"), ("second", "pending")]
    assert data["edges"] == [{"from": "first", "to": "second"}]
    svg = admin.get(f"{URL}/graph?format=svg")
    assert svg.headers["Content-Type"].startswith("image/svg+xml")
    assert b"status-failed" in svg.content
    assert admin.get(f"{URL}/graph?format=mermaid").content.startswith(b"flowchart")
    assert admin.get(f"{URL}/graph?format=dot").status_code == 422


@pytest.mark.usefixtures("started")
def test_waiting_answers_when_it_has_come_to_rest(admin: APIClient) -> None:
    drive()
    assert admin.get(f"{URL}?wait=30").json()["data"]["status"] == "success"
    Instance.objects.update(status="running", closed=False)
    assert admin.get(f"{URL}?wait=1").json()["data"]["status"] == "running"


@pytest.mark.usefixtures("started")
def test_figures_are_there_without_scanning(admin: APIClient) -> None:
    Driver().claim()
    data = admin.get("/api/v1/stats/overview").json()["data"]
    assert data["open_by_status"]["pending"] == 1
    flow_id = Instance.objects.values_list("flow_id", flat=True)[0]
    assert admin.get(f"/api/v1/stats/flows/{flow_id}").json()["data"]["last_day"]["pending"] == 1
