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
    assert shown["runbook"] == "https://wiki.example/two-steps"
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


def test_the_first_to_act_wins_and_the_second_hears_who(
    client_of: Callable[[str], APIClient], admin: APIClient, record: ExceptionRecord
) -> None:
    operator = client_of("operator")
    assert operator.post(f"{URL}/{record.pk}/acknowledge", {}, format="json").json()["data"]["state"] == "acknowledged"
    lost = admin.post(f"{URL}/{record.pk}/acknowledge", {}, format="json")
    assert (lost.status_code, lost.json()["error"]) == (409, "EXCEPTION_MOVED")
    assert "already acknowledged by operator" in lost.json()["message"]
    mine = operator.post(f"{URL}/{record.pk}/assign", {"due_at": "2030-01-01T00:00:00Z"}, format="json").json()["data"]
    assert (mine["assignee"], mine["due_at"]) == ("operator", "2030-01-01T00:00:00Z")
    taken = admin.post(f"{URL}/{record.pk}/assign", {}, format="json")
    assert (taken.status_code, "assigned to operator by operator" in taken.json()["message"]) == (409, True)
    given = admin.post(f"{URL}/{record.pk}/assign", {"user": "admin", "taken_from": "operator"}, format="json")
    assert given.json()["data"]["assignee"] == "admin"
    assert admin.post(f"{URL}/{record.pk}/assign", {"user": "nobody"}, format="json").status_code == 422
    entry = AuditEntry.objects.get(act="exception.acknowledge")
    assert (entry.before, entry.after) == ({"state": "open"}, {"state": "acknowledged"})


def test_what_a_person_closed_is_reopened(admin: APIClient, record: ExceptionRecord) -> None:
    case = f"{URL}/{record.pk}"
    assert admin.post(f"{case}/ignore", {"reason": " "}, format="json").status_code == 422
    assert admin.post(f"{case}/ignore", {"reason": "planned"}, format="json").json()["data"]["state"] == "ignored"
    assert admin.post(f"{case}/assign", {}, format="json").status_code == 409
    assert admin.post(f"{case}/reopen", {"reason": "not planned"}, format="json").json()["data"]["state"] == "open"
    body = {"remark": "same as 4711", "resolution": "duplicate"}
    assert admin.post(f"{case}/handle", body, format="json").json()["data"]["resolution"] == "duplicate"
    reopened = admin.post(f"{case}/reopen", {"reason": "it was not"}, format="json").json()["data"]
    assert (reopened["state"], reopened["handled"], reopened["resolution"]) == ("open", False, "")
    assert admin.post(f"{case}/retry", {}, format="json").status_code == 200
    drive()
    assert admin.post(f"{case}/reopen", {"reason": "again"}, format="json").status_code == 409


def test_a_new_occurrence_opens_what_was_ignored_and_keeps_its_assignee(
    admin: APIClient, record: ExceptionRecord
) -> None:
    admin.post(f"{URL}/{record.pk}/assign", {}, format="json")
    admin.post(f"{URL}/{record.pk}/ignore", {"reason": "planned"}, format="json")
    admin.post("/api/v1/transactions/O-1/retry", {}, format="json")
    drive(first=refused())
    record.refresh_from_db()
    assert (record.state, record.assignee) == ("open", "admin")


def test_a_group_is_acted_on_as_a_whole(admin: APIClient, record: ExceptionRecord) -> None:
    group = f"{URL}/groups/{record.fingerprint}"
    taken = admin.post(f"{group}/assign", {"reason": "mine"}, format="json")
    assert taken.json()["data"] == {"done": 1, "left": 0, "refused": []}
    told = admin.get(group).json()["data"]
    assert (told["state"], told["by_state"], told["assignees"]) == ("open", {"open": 1}, ["admin"])
    assert (told["due_at"], told["runbook"]) == (None, "https://wiki.example/two-steps")
    assert admin.post(f"{group}/ignore", {"reason": "planned"}, format="json").json()["data"]["done"] == 1
    record.refresh_from_db()
    assert (record.state, record.assignee) == ("ignored", "admin")
    assert admin.post(f"{group}/ignore", {"reason": "again"}, format="json").json()["data"]["done"] == 0
    assert admin.get(group).json()["data"]["state"] == "ignored"
    assert admin.get(f"{URL}/groups/nothing").status_code == 404
    assert admin.post(f"{group}/drop", {"reason": "x"}, format="json").status_code == 404


def test_comments_are_kept_in_order(admin: APIClient, record: ExceptionRecord) -> None:
    for comment in ("called the bank", "they are back"):
        assert admin.post(f"{URL}/{record.pk}/comments", {"comment": comment}, format="json").status_code == 201
    rows = admin.get(f"{URL}/{record.pk}/comments").json()["data"]["list"]
    assert [(row["author"], row["comment"]) for row in rows] == [
        ("admin", "called the bank"),
        ("admin", "they are back"),
    ]
    assert admin.get(f"{URL}/nothing/comments").status_code == 404


def test_a_viewer_may_look_and_not_touch(client_of: Callable[[str], APIClient], record: ExceptionRecord) -> None:
    viewer = client_of("viewer")
    assert viewer.get(f"{URL}/{record.pk}").status_code == 200
    assert viewer.post(f"{URL}/{record.pk}/handle", {"remark": "x"}, format="json").status_code == 403
    assert viewer.post(f"{URL}/{record.pk}/retry").status_code == 403
