"""Lists: declared filters, pages, cursors, totals only where they are cheap, and bounded numbers of queries."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from rest_framework.test import APIClient

from execution.domain.outcome import Result
from execution.models import Instance
from flows.models import Flow
from tests.fakes.driving import drive, refused

pytestmark = [pytest.mark.django_db, pytest.mark.store]
URL = "/api/v1/transactions"


@pytest.fixture
def many(admin: APIClient, flow: Flow) -> list[str]:
    starts = [
        {"flow_name": flow.name, "instance_id": f"O-{n:03}", "params": {"order": str(n)}, "tags": {"shop": f"s{n % 2}"}}
        for n in range(25)
    ]
    answer = admin.post(f"{URL}/bulk", {"transactions": starts}, format="json")
    assert answer.json()["data"]["counts"] == {"created": 25, "repeated": 0, "refused": 0}
    now = datetime.now(UTC)
    for n in range(25):
        Instance.objects.filter(pk=f"O-{n:03}").update(created_at=now - timedelta(minutes=n // 2))
    return [start["instance_id"] for start in starts]


def listed(client: APIClient, **query: Any) -> tuple[list[str], dict[str, Any]]:
    answer = client.get(f"{URL}?{urlencode(query)}")
    assert answer.status_code == 200, answer.content
    data = answer.json()["data"]
    return [row["instance_id"] for row in data["list"]], data["pagination"]


def test_a_cursor_walks_through_everything_once(admin: APIClient, many: list[str]) -> None:
    for ordering in ("-created_at", "created_at", "instance_id", "-instance_id"):
        seen: list[str] = []
        cursor: str | None = ""
        while cursor is not None:
            ids, pagination = listed(admin, page_size=7, ordering=ordering, cursor=cursor)
            seen += ids
            cursor = pagination["next"]
        assert sorted(seen) == many
        assert len(seen) == len(set(seen))


def test_a_page_has_a_total_where_it_is_cheap(admin: APIClient, many: list[str]) -> None:
    ids, pagination = listed(admin, page=2, page_size=10)
    assert len(ids) == 10
    assert (pagination["page"], pagination["page_size"], pagination["total"]) == (2, 10, 25)
    assert listed(admin, page=3, page_size=10)[1]["next"] is None
    _ids, narrowed = listed(admin, page_size=5, status="pending", flow_name="two-steps")
    assert narrowed["total"] is None
    refused = admin.get(f"{URL}?page=2000&page_size=10")
    assert refused.json()["errors"][0]["code"] == "too_deep"


def test_filters_narrow(admin: APIClient, many: list[str], flow: Flow) -> None:
    drive(first=lambda call: refused() if call.input["order"] in ("3", "4") else _success(call))
    assert set(listed(admin, status="failed")[0]) == {"O-003", "O-004"}
    assert set(listed(admin, needs_attention="true")[0]) == {"O-003", "O-004"}
    assert set(listed(admin, error_code="CARD_DECLINED")[0]) == {"O-003", "O-004"}
    assert set(listed(admin, has_open_exception="true")[0]) == {"O-003", "O-004"}
    assert len(listed(admin, has_open_exception="false", page_size=100)[0]) == 23
    assert len(listed(admin, status="success,failed", page_size=100)[0]) == 25
    assert listed(admin, **{"tag.order": "7"})[0] == ["O-007"]
    assert len(listed(admin, **{"tag.shop": "s1", "page_size": 100})[0]) == 12
    assert len(listed(admin, id="O-01", page_size=100)[0]) == 10
    assert set(listed(admin, ids="O-001,O-002,nothing")[0]) == {"O-001", "O-002"}
    assert listed(admin, flow_id="nothing")[0] == []
    recent = (datetime.now(UTC) - timedelta(minutes=2, seconds=30)).isoformat()
    assert len(listed(admin, since=recent)[0]) == 6
    assert len(listed(admin, until=recent, page_size=100)[0]) == 19


def _success(call: Any) -> Result:
    return Result(value=dict(call.input))


def test_the_number_of_queries_does_not_grow(
    admin: APIClient, many: list[str], django_assert_max_num_queries: Any
) -> None:
    drive(first=refused())
    admin.get(URL)  # the compiled version is kept from here on
    with django_assert_max_num_queries(8):
        listed(admin, page_size=200)
    with django_assert_max_num_queries(7):
        admin.get(f"{URL}/O-001")
    with django_assert_max_num_queries(10):
        admin.get(f"{URL}/O-001/diagnosis")
    with django_assert_max_num_queries(7):
        admin.get(f"{URL}/O-001/timeline")
    with django_assert_max_num_queries(7):
        admin.get("/api/v1/exceptions")
    with django_assert_max_num_queries(7):
        admin.get("/api/v1/exceptions/groups")


def test_a_start_takes_few_queries(admin: APIClient, flow: Flow, django_assert_max_num_queries: Any) -> None:
    body = {"flow_name": flow.name, "params": {"order": "1"}}
    admin.post(URL, body, format="json")
    # Token and user, the user's and the groups' permissions, flow, ids taken, time, begin, insert, tags, commit.
    with django_assert_max_num_queries(11):
        admin.post(URL, body, format="json")


def test_one_fault_in_a_bulk_stops_no_other(admin: APIClient, flow: Flow) -> None:
    good = {"flow_name": flow.name, "params": {"order": "1"}}
    starts = [
        good | {"instance_id": "A"},
        good | {"instance_id": "A"},
        good | {"instance_id": "A", "params": {"order": "2"}},
        good | {"instance_id": "not ok"},
        {"flow_name": "nothing"},
        good | {"flow_nam": 1},
        "text",
        good | {"instance_id": "B"},
    ]
    answer = admin.post(f"{URL}/bulk", {"transactions": starts}, format="json")
    assert answer.status_code == 200
    data = answer.json()["data"]
    assert [item["code"] for item in data["list"]] == [0, 0, 409, 422, 404, 422, 422, 0]
    assert [item["data"].get("created") for item in data["list"][:2]] == [True, False]
    assert data["counts"] == {"created": 2, "repeated": 1, "refused": 5}
    again = admin.post(f"{URL}/bulk", {"transactions": starts[:1]}, format="json").json()["data"]
    assert again["counts"] == {"created": 0, "repeated": 1, "refused": 0}


def test_a_bulk_has_a_limit(admin: APIClient) -> None:
    answer = admin.post(f"{URL}/bulk", {"transactions": [{}] * 1001}, format="json")
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (422, "too_long")
