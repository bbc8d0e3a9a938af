"""Flows: the editor and its preview, versions, activation, starting."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from execution.models import Instance
from flows.models import Flow, FlowVersion, TaskDefinition
from tests.console import factory
from tests.console.runs import DEFINITION

pytestmark = [pytest.mark.django_db, pytest.mark.store]

FLOWS = "/admin/flows/flow/"


@pytest.fixture
def flow(db: None) -> Flow:
    return factory.make_flow()


def definition(**changes: Any) -> str:
    return json.dumps({**DEFINITION, **changes})


def test_it_saves_a_new_flow_and_publishes_it(db: None, as_role: Callable[..., Client]) -> None:
    given = {"definition": definition(name="new-one"), "note": "first", "save": "publish"}
    response = as_role("editor").post(f"{FLOWS}new/", given, follow=True)
    assert response.status_code == 200
    flow = Flow.objects.get(name="new-one")
    assert flow.current is not None
    assert flow.current.note == "first"


def test_it_keeps_what_was_typed_beside_its_problems(db: None, as_role: Callable[..., Client]) -> None:
    response = as_role("editor").post(f"{FLOWS}new/", {"definition": '{"name": "x", "tasks": []}', "save": "draft"})
    assert response.status_code == 200
    assert response.context["report"]["problems"]
    assert not Flow.objects.exists()
    broken = as_role("editor").post(f"{FLOWS}new/", {"definition": '{"name": ', "save": "draft"})
    assert broken.context["report"]["problems"][0]["code"] == "bad_json"
    assert broken.context["text"] == '{"name": '


def test_it_saves_a_draft_then_publishes_it(flow: Flow, as_role: Callable[..., Client]) -> None:
    client = as_role("editor")
    client.post(f"{FLOWS}{flow.pk}/edit/", {"definition": definition(description="d2"), "save": "draft", "base": "1"})
    flow.refresh_from_db()
    assert flow.current is not None
    assert (flow.latest_number, flow.current.number) == (2, 1)
    client.post(f"{FLOWS}{flow.pk}/act/", {"act": "publish", "number": "2"})
    flow.refresh_from_db()
    assert flow.current.number == 2


def test_it_tells_an_editor_who_was_overtaken(flow: Flow, as_role: Callable[..., Client]) -> None:
    client = as_role("editor")
    given = {"definition": definition(description="d2"), "save": "publish", "base": "1"}
    client.post(f"{FLOWS}{flow.pk}/edit/", given)
    response = client.post(f"{FLOWS}{flow.pk}/edit/", {**given, "definition": definition(description="d3")})
    assert "version 2 by now" in " ".join(str(message) for message in response.context["messages"])
    assert FlowVersion.objects.filter(flow=flow).count() == 2


def test_the_preview_names_the_place_of_each_problem_and_draws(db: None, as_role: Callable[..., Client]) -> None:
    client = as_role("viewer")
    good = client.post(f"{FLOWS}preview/", {"definition": definition()}).json()
    assert good["problems"] == []
    assert "<svg" in good["svg"]
    wrong = json.loads(definition())
    wrong["tasks"][3]["depends_on"] = ["nobody"]
    report = client.post(f"{FLOWS}preview/", {"definition": json.dumps(wrong)}).json()
    assert report["problems"][0]["loc"][:3] == ["tasks", 3, "depends_on"]
    assert "<svg" in report["svg"]


@pytest.mark.parametrize(
    "text", ["", "[]", "{", '"x"', '{"tasks": 3}', '{"tasks": [{"id": "a", "depends_on": ["a"]}]}']
)
def test_the_preview_never_fails(db: None, as_role: Callable[..., Client], text: str) -> None:
    response = as_role("viewer").post(f"{FLOWS}preview/", {"definition": text})
    assert response.status_code == 200
    assert response.json()["problems"]


def test_it_shows_versions_and_what_changed(flow: Flow, as_role: Callable[..., Client]) -> None:
    client = as_role("editor")
    given = {"definition": definition(description="a new description"), "save": "publish", "note": "why", "base": "1"}
    client.post(f"{FLOWS}{flow.pk}/edit/", given)
    assert b"why" in client.get(f"{FLOWS}{flow.pk}/change/").content
    diff = client.get(f"{FLOWS}{flow.pk}/diff/")
    assert any(kind == "add" and "a new description" in line for kind, line in diff.context["lines"])
    assert client.get(f"{FLOWS}{flow.pk}/version/1/").status_code == 200
    assert client.get(f"{FLOWS}{flow.pk}/version/9/").status_code == 404


def test_it_switches_a_flow_off_and_on(flow: Flow, as_role: Callable[..., Client]) -> None:
    client = as_role("editor")
    for act, active in (("deactivate", False), ("activate", True)):
        client.post(f"{FLOWS}{flow.pk}/act/", {"act": act})
        flow.refresh_from_db()
        assert flow.is_active is active


def test_it_starts_an_instance(flow: Flow, as_role: Callable[..., Client]) -> None:
    client = as_role("operator")
    given = {"flow": "demo-order", "params": '{"order_no": "7"}', "instance_id": "by-hand"}
    response = client.post("/admin/execution/instance/start/", given)
    assert response["Location"].endswith("/by-hand/change/")
    assert Instance.objects.get().params == {"order_no": "7"}
    assert client.get(response["Location"]).status_code == 200


def test_it_tells_what_is_wrong_with_a_start(flow: Flow, as_role: Callable[..., Client]) -> None:
    client = as_role("operator")
    for given in ({"params": "[]"}, {"params": "{,"}, {"instance_id": "no spaces please"}, {"flow": "nothing"}):
        response = client.post("/admin/execution/instance/start/", {"flow": "demo-order", "params": "{}", **given})
        assert response.status_code == 200
        assert response.context["problems"]
    assert not Instance.objects.exists()


def test_it_makes_edits_and_removes_a_task_type(db: None, as_role: Callable[..., Client]) -> None:
    client = as_role("editor")
    types = "/admin/flows/taskdefinition/"
    given = {
        "name": "charge",
        "type": "http",
        "description": "d",
        "config": '{"url": "http://pay.example/charge"}',
        "input_fields": '[{"name": "amount", "type": "decimal", "required": true}]',
    }
    assert client.post(f"{types}new/", given).status_code == 302
    assert TaskDefinition.objects.get(pk="charge").config == {"url": "http://pay.example/charge"}
    wrong = client.post(f"{types}charge/edit/", {**given, "input_fields": '[{"name": "amount", "type": "money"}]'})
    assert wrong.context["problems"]
    assert "money" in wrong.content.decode()
    assert client.post(f"{types}charge/edit/", {**given, "config": "{oops"}).context["problems"]
    assert client.post(f"{types}charge/edit/", {**given, "description": "changed"}).status_code == 302
    assert TaskDefinition.objects.get(pk="charge").description == "changed"
    client.post(f"{types}charge/delete-entry/")
    assert not TaskDefinition.objects.filter(pk="charge").exists()


def test_it_shows_entries_of_code_and_lets_nobody_edit_them(db: None, as_role: Callable[..., Client]) -> None:
    TaskDefinition.objects.update_or_create(
        name="deduct",
        defaults={"type": "rpc", "is_code": True, "created_at": timezone.now(), "updated_at": timezone.now()},
    )
    assert b"deduct" in as_role("viewer").get("/admin/flows/taskdefinition/").content
    assert as_role("viewer").get("/admin/flows/taskdefinition/new/").status_code == 403
    assert as_role("editor").get("/admin/flows/taskdefinition/deduct/edit/").status_code == 403
