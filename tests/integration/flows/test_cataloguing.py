"""The task catalog as a document: kept, compared, brought elsewhere."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from rest_framework.test import APIClient

from disttask_project.kernel.actor import Actor, system_actor
from disttask_project.kernel.errors import Forbidden, InvalidInput
from flows.cataloguing import export_catalog, import_catalog, save_task_definition
from flows.models import TaskDefinition
from flows.services import create_flow

pytestmark = [pytest.mark.django_db, pytest.mark.store]
ADMIN = system_actor("root")
ENTRY: dict[str, Any] = {
    "name": "charge",
    "type": "http",
    "description": "Take money",
    "config": {"url": "https://bank.example/charge"},
    "input_fields": [{"name": "amount", "type": "int", "required": True}],
    "example": {"amount": 5},
}


def outcomes(document: Any, **asked: Any) -> dict[str, str]:
    return {each.name: each.outcome for each in import_catalog(document=document, actor=ADMIN, **asked)}


def test_what_is_exported_comes_in_again_unchanged() -> None:
    save_task_definition(**ENTRY, actor=ADMIN)
    document = json.loads(json.dumps(export_catalog()))
    assert document == {"task_definitions": [ENTRY]}
    assert outcomes(document) == {"charge": "unchanged"}
    TaskDefinition.objects.filter(is_code=False).delete()
    assert outcomes(document) == {"charge": "added"}
    assert export_catalog() == document


def test_a_dry_run_tells_what_would_change_and_whom_it_touches() -> None:
    save_task_definition(**ENTRY, actor=ADMIN)
    create_flow(definition={"name": "shop", "tasks": [{"id": "a", "task_name": "charge"}]}, actor=ADMIN)
    changed = {"task_definitions": [{**ENTRY, "description": "Take more money"}, {**ENTRY, "name": "refund"}]}
    told = import_catalog(document=changed, actor=ADMIN, dry_run=True)
    assert [(each.name, each.outcome, list(each.used_by)) for each in told] == [
        ("charge", "changed", ["shop"]),
        ("refund", "added", []),
    ]
    assert TaskDefinition.objects.filter(is_code=False).count() == 1
    assert outcomes(changed) == {"charge": "changed", "refund": "added"}
    assert TaskDefinition.objects.get(pk="charge").description == "Take more money"


def test_one_bad_entry_keeps_all_of_them_out() -> None:
    bad = [
        {**ENTRY, "name": "good"},
        {**ENTRY, "type": "soap"},
        {**ENTRY, "name": "deduct"},
        {**ENTRY, "name": "good"},
        "x",
        {**ENTRY, "name": "more", "colour": 1, "example": []},
    ]
    with pytest.raises(InvalidInput) as caught:
        import_catalog(document={"task_definitions": bad}, actor=ADMIN)
    places = {problem.loc[1:] for problem in caught.value.problems}
    assert places >= {(1, "type"), (2, "name"), (3, "name"), (4,), (5, "colour"), (5, "example")}
    assert not TaskDefinition.objects.filter(is_code=False).exists()


@pytest.mark.parametrize("document", [None, [], {}, {"task_definitions": {}}, {"task_definitions": [{}] * 1001}])
def test_what_is_no_catalog_is_refused(document: Any) -> None:
    with pytest.raises(InvalidInput) as caught:
        import_catalog(document=document, actor=ADMIN)
    assert caught.value.problems[0].loc == ("task_definitions",)


def test_only_who_may_imports() -> None:
    with pytest.raises(Forbidden):
        import_catalog(document={"task_definitions": []}, actor=Actor(name="li.wei", source="rest"))


def clients() -> tuple[APIClient, Client]:
    user = User.objects.create_superuser("ops", password="ops-secret-1")
    rest, web = APIClient(), Client()
    rest.force_authenticate(user)
    web.force_login(user)
    return rest, web


def test_rest_exports_imports_and_tells_the_use() -> None:
    rest, _web = clients()
    document = {"task_definitions": [ENTRY]}
    preview = rest.post("/api/v1/catalog?dry_run=true", document, format="json").json()["data"]
    assert preview == {"dry_run": True, "entries": [{"name": "charge", "outcome": "added", "used_by": []}]}
    assert rest.post("/api/v1/catalog", document, format="json").status_code == 200
    assert rest.get("/api/v1/catalog").json()["data"] == document
    assert rest.post("/api/v1/catalog", {"task_definitions": 1}, format="json").status_code == 422
    create_flow(definition={"name": "shop", "tasks": [{"id": "a", "task_name": "charge"}]}, actor=ADMIN)
    (use,) = rest.get("/api/v1/task-definitions/charge/use").json()["data"]["list"]
    assert (use["flow_name"], use["version"]) == ("shop", 1)
    assert rest.get("/api/v1/task-definitions/none/use").status_code == 404


def test_the_console_previews_before_it_imports() -> None:
    _rest, web = clients()
    page = "/admin/flows/taskdefinition/"
    written = json.dumps({"task_definitions": [ENTRY]})
    assert b"charge" in web.post(f"{page}import/", {"catalog": written}).content
    assert not TaskDefinition.objects.filter(pk="charge").exists()
    assert b"task_definitions" in web.post(f"{page}import/", {"catalog": "{}"}).content
    assert web.post(f"{page}import/", {"catalog": written, "confirm": "1"}).status_code == 302
    exported = web.get(f"{page}export/")
    assert json.loads(exported.content) == json.loads(written)
    assert "attachment" in exported["Content-Disposition"]
    detail = web.get(f"{page}charge/change/").content
    assert b"https://bank.example/charge" in detail
    assert b"/admin/execution/instance/try/charge/" in detail
