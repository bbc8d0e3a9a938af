"""Acts over REST: done at once on an instance that nobody holds, asked of the driver that does."""

from __future__ import annotations

from typing import Any

import pytest
from rest_framework.test import APIClient

from disttask_project.audit.models import AuditEntry
from execution.models import Instance, OperatorAction, Task
from execution.services import performing
from tests.fakes.driving import Driver, drive, refused, unknown

pytestmark = [pytest.mark.django_db, pytest.mark.store]
URL = "/api/v1/transactions"


@pytest.fixture
def failed(started: str) -> str:
    drive(first=refused())
    assert Instance.objects.get(pk=started).status == "failed"
    return started


def post(client: APIClient, path: str, **body: Any) -> Any:
    return client.post(f"{URL}/{path}", body, format="json")


def test_a_retry_is_done_at_once_and_the_flow_goes_on(admin: APIClient, failed: str) -> None:
    answer = post(admin, f"{failed}/tasks/first/retry", reason="paid in")
    assert (answer.status_code, answer.json()["data"]["state"]) == (200, "done")
    assert answer.json()["data"]["task_id"] == "first"
    drive()
    assert Instance.objects.get(pk=failed).status == "success"
    entry = AuditEntry.objects.get(object_type="task")
    assert (entry.actor, entry.source, entry.act, entry.reason) == ("admin", "rest", "task.retry", "paid in")
    assert entry.before["status"] == "failed"
    assert entry.after["status"] == "running"
    assert entry.request_id == answer.headers["X-Request-ID"]


def test_a_second_retry_is_told_who_was_first(admin: APIClient, failed: str) -> None:
    post(admin, f"{failed}/tasks/first/retry")
    drive(first=refused())
    post(admin, f"{failed}/tasks/first/skip", reason="not needed")
    late = post(admin, f"{failed}/tasks/first/retry")
    assert (late.status_code, late.json()["error"]) == (409, "NOT_RETRYABLE")
    assert "already skipped by admin" in late.json()["message"]


def test_all_failed_tasks_are_retried_without_naming_one(admin: APIClient, failed: str) -> None:
    assert post(admin, f"{failed}/retry").status_code == 200
    drive()
    assert Instance.objects.get(pk=failed).status == "success"
    assert post(admin, f"{failed}/retry").status_code == 409


def test_a_retry_with_changed_input_is_a_new_run(admin: APIClient, failed: str) -> None:
    assert post(admin, f"{failed}/tasks/first/retry", input={"order": "8"}).status_code == 200
    calls = drive().calls
    assert (calls[0].run, calls[0].input) == (2, {"order": "8"})


def test_a_changed_input_after_an_unknown_outcome_needs_a_word(admin: APIClient, started: str) -> None:
    drive(first=unknown())
    path = f"{started}/tasks/first/retry"
    assert post(admin, path, input={"order": "8"}).json()["error"] == "OUTCOME_UNKNOWN"
    assert post(admin, path, input={"order": "8"}, outcome="not_applied").status_code == 200


def test_a_task_is_skipped_or_marked_with_a_reason(admin: APIClient, failed: str) -> None:
    assert post(admin, f"{failed}/tasks/first/skip").status_code == 422
    assert (
        post(admin, f"{failed}/tasks/first/mark-success", reason="seen at the bank", output={"n": 1}).status_code == 200
    )
    task = Task.objects.get(instance_id=failed, task_id="first")
    assert (task.status, task.result) == ("success", {"n": 1})
    drive()
    assert Instance.objects.get(pk=failed).status == "success"


def test_it_is_paused_resumed_and_cancelled(admin: APIClient, started: str) -> None:
    assert post(admin, f"{started}/pause").status_code == 200
    assert drive().calls == []
    assert post(admin, f"{started}/pause").status_code == 409
    assert post(admin, f"{started}/resume").status_code == 200
    assert post(admin, f"{started}/cancel").status_code == 422
    done = post(admin, f"{started}/cancel", reason="ordered twice")
    assert done.json()["data"]["status"] == "cancelled"
    assert post(admin, f"{started}/retry").json()["error"] == "INSTANCE_ENDED"


def test_a_failure_is_closed(admin: APIClient, failed: str) -> None:
    assert post(admin, f"{failed}/close", reason="customer gave up").status_code == 200
    assert Instance.objects.get(pk=failed).closed


def test_an_act_on_a_held_instance_waits_for_the_driver(
    admin: APIClient, started: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(performing, "VERDICT_WAIT_SECONDS", 0.2)
    Driver().claim()
    asked = post(admin, f"{started}/cancel", reason="ordered twice")
    assert (asked.status_code, asked.json()["data"]["state"]) == (202, "asked")
    action = OperatorAction.objects.get(pk=asked.json()["data"]["action_id"])
    assert (action.state, action.reason) == ("asked", "ordered twice")
    assert Instance.objects.get(pk=started).inbox == 1
    twice = post(admin, f"{started}/cancel", reason="me too")
    assert (twice.status_code, twice.json()["error"]) == (409, "ALREADY_ASKED")
    assert "admin asked for the same act" in twice.json()["message"]


def test_an_act_outlives_a_driver_that_died(admin: APIClient, started: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(performing, "VERDICT_WAIT_SECONDS", 0.2)
    Driver().claim()
    post(admin, f"{started}/pause")
    Instance.objects.filter(pk=started).update(lease_until="2020-01-01T00:00:00Z")
    done = post(admin, f"{started}/cancel", reason="ordered twice")
    assert (done.status_code, done.json()["data"]["status"]) == (200, "cancelled")
    assert set(OperatorAction.objects.values_list("act", "state")) == {("pause", "done"), ("cancel", "done")}


def test_what_is_not_there_is_not_found(admin: APIClient, failed: str) -> None:
    assert post(admin, "nothing/retry").status_code == 404
    assert post(admin, f"{failed}/tasks/nothing/retry").status_code == 404
    assert admin.get(f"{URL}/nothing").status_code == 404
    assert admin.get(f"{URL}/{failed}/tasks/nothing/attempts").status_code == 404
