"""Flows, versions and the catalog over REST."""

from __future__ import annotations

import json
from typing import Any

import pytest
from rest_framework.test import APIClient

from disttask_project.audit.models import AuditEntry
from flows.models import Flow
from tests.integration.api.conftest import TWO_STEPS

pytestmark = [pytest.mark.django_db, pytest.mark.store]
URL = "/api/v1/flows"


def changed(**more: Any) -> dict[str, Any]:
    return {**TWO_STEPS, **more}


def test_it_creates_a_flow_from_an_object_or_from_text(admin: APIClient) -> None:
    made = admin.post(URL, {"definition": TWO_STEPS, "create_user": "li.wei", "flow_type": "shop"}, format="json")
    assert made.status_code == 201
    flow = made.json()["data"]
    assert (flow["name"], flow["version"], flow["is_active"]) == ("two-steps", 1, True)
    assert (flow["create_user"], flow["definition"]["tasks"][0]["id"]) == ("li.wei", "first")
    assert AuditEntry.objects.get(act="create_flow").actor == "admin"
    text = admin.post(URL, {"name": "other", "definition": json.dumps(changed(name="other"))}, format="json")
    assert text.json()["data"]["definition"]["name"] == "other"
    taken = admin.post(URL, {"definition": TWO_STEPS}, format="json")
    assert (taken.status_code, taken.json()["error"]) == (409, "FLOW_NAME_TAKEN")


def test_every_problem_of_a_definition_is_told(admin: APIClient) -> None:
    bad = {
        "name": "bad",
        "tasks": [{"id": "a", "task_name": "noop", "depends_on": ["x"]}, {"id": "a", "task_nam": "y"}],
    }
    answer = admin.post(URL, {"definition": bad}, format="json")
    assert answer.status_code == 422
    assert len(answer.json()["errors"]) >= 2
    told = admin.post(f"{URL}/validate", bad, format="json")
    assert (told.status_code, told.json()["data"]["valid"]) == (200, False)
    assert len(told.json()["data"]["problems"]) >= 2
    good = admin.post(f"{URL}/validate", {"definition": TWO_STEPS}, format="json").json()["data"]
    assert (good["valid"], good["problems"]) == (True, [])


def test_saving_publishes_and_a_draft_is_kept_back(admin: APIClient, flow: Flow) -> None:
    url = f"{URL}/{flow.pk}"
    draft = admin.put(f"{url}?draft=true", {"definition": changed(max_parallel=1)}, format="json").json()["data"]
    assert (draft["version"], draft["latest_version"]) == (1, 2)
    saved = admin.put(url, {"definition": changed(max_parallel=2), "note": "two at once"}, format="json").json()["data"]
    assert (saved["version"], saved["definition"]["max_parallel"]) == (3, 2)
    versions = admin.get(f"{url}/versions").json()["data"]["list"]
    assert [(row["version"], row["state"]) for row in versions] == [(3, "published"), (2, "draft"), (1, "published")]
    assert admin.get(f"{url}/versions/2").json()["data"]["definition"]["max_parallel"] == 1
    assert admin.post(f"{url}/versions/1/publish", {"reason": "back"}, format="json").status_code == 200
    assert admin.get(url).json()["data"]["version"] == 1
    diff = admin.get(f"{url}/diff?from=1&to=3").json()["data"]
    assert (diff["flow_keys"], diff["added"]) == (["max_parallel"], [])
    stale = admin.put(url, {"definition": TWO_STEPS, "expected_version": 1}, format="json")
    assert (stale.status_code, stale.json()["error"]) == (409, "VERSION_CONFLICT")


def test_it_lists_activates_draws_and_deletes(admin: APIClient, flow: Flow) -> None:
    rows = admin.get(f"{URL}?name=two-steps&is_active=true").json()["data"]
    assert [row["id"] for row in rows["list"]] == [flow.pk]
    assert admin.post(f"{URL}/{flow.pk}/deactivate").json()["data"]["is_active"] is False
    assert admin.get(f"{URL}?is_active=true").json()["data"]["list"] == []
    assert admin.post(f"{URL}/{flow.pk}/activate").json()["data"]["is_active"] is True
    assert admin.get(f"{URL}/{flow.pk}/graph").json()["data"]["edges"] == [{"from": "first", "to": "second"}]
    assert admin.get(f"{URL}/{flow.pk}/graph?format=svg").content.startswith(b"<svg")
    assert admin.delete(f"{URL}/{flow.pk}?reason=old").json()["data"]["deleted"] is True
    assert admin.get(f"{URL}/{flow.pk}").status_code == 404
    assert admin.get(f"{URL}/{flow.pk}/versions").status_code == 404


def test_a_null_definition_is_asked_for(admin: APIClient, flow: Flow) -> None:
    answer = admin.put(f"{URL}/{flow.pk}", {"definition": None}, format="json")
    assert answer.json()["errors"][0]["loc"] == ["definition"]


def test_the_catalog_is_kept(admin: APIClient) -> None:
    url = "/api/v1/task-definitions"
    entry = {"name": "charge", "type": "noop", "input_fields": [{"name": "amount", "type": "int", "required": True}]}
    assert admin.post(url, entry, format="json").status_code == 201
    assert admin.post(url, entry, format="json").json()["error"] == "TASK_DEFINITION_TAKEN"
    change = {"type": "noop", "description": "charges a card"}
    assert admin.put(f"{url}/charge", change, format="json").json()["data"]["description"] == "charges a card"
    assert admin.post(url, entry | {"name": "x", "type": "nothing"}, format="json").status_code == 422
    assert "charge" in [row["name"] for row in admin.get(url).json()["data"]["list"]]
    assert admin.delete(f"{url}/charge").status_code == 200
    assert admin.get(f"{url}/charge").status_code == 404
    assert admin.put(f"{url}/charge", change, format="json").status_code == 404


def test_types_and_the_language_describe_themselves(admin: APIClient) -> None:
    types = {row["name"]: row for row in admin.get("/api/v1/task-types").json()["data"]["list"]}
    assert {"http", "rpc", "mq", "db", "noop"} <= set(types)
    assert types["http"]["config_schema"]["properties"]["url"]
    assert "tasks" in admin.get("/api/v1/schemas/flow").json()["data"]["properties"]
