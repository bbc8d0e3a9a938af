"""The exception inbox over REST."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from rest_framework.test import APIClient

from disttask_project.audit.models import AuditEntry
from execution.models import Instance
from retries.models import ExceptionRecord
from tests.fakes.driving import drive, refused

pytestmark = [pytest.mark.django_db, pytest.mark.store]
URL = "/api/v1/exceptions"


@pytest.fixture
def record(started: str) -> ExceptionRecord:
    drive(first=refused())
    return ExceptionRecord.objects.get()


def test_it_lists_and_shows_what_failed(admin: APIClient, record: ExceptionRecord) -> None:
    data = admin.get(f"{URL}?handled=false&error_code=CARD_DECLINED&group_id=O-1&state=open").json()["data"]
    assert [row["id"] for row in data["list"]] == [record.pk]
    shown = admin.get(f"{URL}/{record.pk}").json()["data"]
    assert (shown["group_id"], shown["group_name"], shown["task_id"]) == ("O-1", "two-steps", "first")
    assert (shown["error_code"], shown["handled"], shown["state"]) == ("CARD_DECLINED", False, "open")
    assert admin.get(f"{URL}?handled=true").json()["data"]["list"] == []
    assert admin.get(f"{URL}/nothing").status_code == 404


def test_it_groups_what_is_the_same_fault(admin: APIClient, record: ExceptionRecord) -> None:
    group = admin.get(f"{URL}/groups").json()["data"]["list"][0]
    assert (group["count"], group["instances"], group["error_code"]) == (1, 1, "CARD_DECLINED")
    assert group["sample"]["id"] == record.pk


def test_a_retry_from_the_inbox_ends_the_instance_well(admin: APIClient, record: ExceptionRecord) -> None:
    answer = admin.post(f"{URL}/{record.pk}/retry", {"reason": "paid in"}, format="json")
    assert (answer.status_code, answer.json()["data"]["state"]) == (200, "done")
    drive()
    record.refresh_from_db()
    assert (record.state, Instance.objects.get(pk="O-1").status) == ("resolved", "success")
    again = admin.post(f"{URL}/{record.pk}/retry")
    assert again.status_code == 409


def test_handling_marks_and_does_not_resume(admin: APIClient, record: ExceptionRecord) -> None:
    assert admin.post(f"{URL}/{record.pk}/handle", {}, format="json").status_code == 422
    answer = admin.post(f"{URL}/{record.pk}/handle", {"remark": "refunded by hand"}, format="json")
    shown = answer.json()["data"]
    assert (shown["handled"], shown["handled_by"], shown["handled_remark"]) == (True, "admin", "refunded by hand")
    assert Instance.objects.get(pk="O-1").status == "failed"
    assert AuditEntry.objects.get(act="exception.handle").reason == "refunded by hand"
    twice = admin.post(f"{URL}/{record.pk}/handle", {"remark": "me too"}, format="json")
    assert (twice.status_code, twice.json()["error"]) == (409, "ALREADY_HANDLED")
    assert "admin" in twice.json()["message"]


def test_a_viewer_may_look_and_not_touch(client_of: Callable[[str], APIClient], record: ExceptionRecord) -> None:
    viewer = client_of("viewer")
    assert viewer.get(f"{URL}/{record.pk}").status_code == 200
    assert viewer.post(f"{URL}/{record.pk}/handle", {"remark": "x"}, format="json").status_code == 403
    assert viewer.post(f"{URL}/{record.pk}/retry").status_code == 403
