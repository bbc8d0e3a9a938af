"""What comes from outside stays text, what changes something needs a token, and nothing is fetched from elsewhere."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.test import Client

from flows.models import Flow
from retries.models import ExceptionRecord
from tests.console import factory
from tests.console.runs import DEFINITION

pytestmark = [pytest.mark.django_db, pytest.mark.store]

PAYLOAD = "</textarea></script><script>alert(1)</script><img src=x onerror=alert(2)>'\"{{7*7}}"
PAGES = (
    "/admin/",
    "/admin/execution/instance/",
    "/admin/execution/instance/r1/change/",
    "/admin/execution/instance/r1/attempts/deduct/",
    "/admin/execution/instance/r1/change-input/deduct/",
    "/admin/retries/exceptionrecord/",
    "/admin/retries/exceptionrecord/?view=list",
    "/admin/flows/flow/",
    "/admin/flows/flow/{flow}/change/",
    "/admin/flows/flow/{flow}/edit/",
    "/admin/flows/flow/new/",
    "/admin/execution/instance/start/?flow=demo-order",
    "/admin/execution/enginesession/",
    "/admin/execution/target/",
    "/admin/audit/auditentry/",
    "/admin/access/apitoken/",
)
STATIC = Path(__file__).parents[2] / "static"


@pytest.fixture
def flow(db: None) -> Flow:
    definition = {**DEFINITION, "description": PAYLOAD}
    made = factory.make_flow(definition=definition)
    factory.failed(made, "r1", message=PAYLOAD, response={"body": PAYLOAD})
    return made


def test_it_shows_hostile_text_as_text(flow: Flow, as_role: Callable[..., Client]) -> None:
    client = as_role("superuser")
    case = ExceptionRecord.objects.get()
    for path in (*PAGES, f"/admin/retries/exceptionrecord/{case.pk}/change/"):
        response = client.get(path.format(flow=flow.pk))
        assert response.status_code == 200, path
        html = response.content.decode()
        assert "<script>alert" not in html, path
        assert "<img src=x" not in html, path
        assert "49" not in re.findall(r"\{\{7\*7\}\}|>49<", html), path


def test_it_puts_no_script_of_ours_into_a_page(flow: Flow, as_role: Callable[..., Client]) -> None:
    client = as_role("superuser")
    for path in PAGES:
        html = client.get(path.format(flow=flow.pk)).content.decode()
        inline = re.findall(r"<script(?![^>]*\b(?:src|type=\"application/json\"))[^>]*>", html)
        assert inline == [], path
        tags = re.findall(r"<[a-z][^<>]*>", html)
        assert [tag for tag in tags if re.search(r"\son[a-z]+=", re.sub(r'"[^"]*"', '""', tag))] == [], path


def test_it_fetches_nothing_from_elsewhere(flow: Flow, as_role: Callable[..., Client]) -> None:
    client = as_role("superuser")
    for path in PAGES:
        html = client.get(path.format(flow=flow.pk)).content.decode()
        fetched = re.findall(r"""<(?:script|link|img|iframe|source)\b[^>]*?(?:src|href)=["']([^"']+)""", html)
        assert [url for url in fetched if not url.startswith(("/", "data:"))] == [], path


def test_it_sends_a_strict_policy_with_every_page(flow: Flow, as_role: Callable[..., Client]) -> None:
    policy = as_role("viewer").get("/admin/")["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    scripts = next(part for part in policy.split(";") if part.strip().startswith("script-src"))
    assert "unsafe-inline" not in scripts


def test_it_changes_nothing_without_the_csrf_token(flow: Flow) -> None:
    User.objects.create_superuser("root", password="a-long-password")
    client = Client(enforce_csrf_checks=True)
    client.force_login(User.objects.get(username="root"))
    case = ExceptionRecord.objects.get()
    for path in (
        "/admin/execution/instance/r1/act/",
        "/admin/execution/instance/start/",
        f"/admin/retries/exceptionrecord/{case.pk}/act/",
        "/admin/retries/exceptionrecord/bulk/",
        f"/admin/flows/flow/{flow.pk}/act/",
        "/admin/flows/flow/new/",
        "/admin/flows/flow/preview/",
        "/admin/access/apitoken/",
    ):
        assert client.post(path, {"act": "retry", "task_id": "deduct"}).status_code == 403, path


def test_it_changes_nothing_on_a_get(flow: Flow, as_role: Callable[..., Client]) -> None:
    client = as_role("superuser")
    case = ExceptionRecord.objects.get()
    for path in (
        "/admin/execution/instance/r1/act/?act=retry&task_id=deduct",
        f"/admin/retries/exceptionrecord/{case.pk}/act/?act=retry",
        f"/admin/flows/flow/{flow.pk}/act/?act=deactivate",
        "/admin/flows/flow/preview/",
    ):
        assert client.get(path).status_code == 405, path


def test_it_shows_a_token_once(db: None, as_role: Callable[..., Client]) -> None:
    client = as_role("superuser")
    made = client.post("/admin/access/apitoken/", {"username": "superuser", "name": "ci", "days": "5"})
    token = made.context["made"]
    assert token
    assert token in made.content.decode()
    assert "no-store" in made["Cache-Control"]
    assert token not in client.get("/admin/access/apitoken/").content.decode()
    key = re.search(r"apitoken/([^/]+)/revoke/", made.content.decode())
    assert key is not None
    client.post(f"/admin/access/apitoken/{key[1]}/revoke/")
    assert client.get("/admin/access/apitoken/").context["tokens"] == []


def test_what_is_vendored_brings_its_licence() -> None:
    assert "MIT" in (STATIC / "vendor/codemirror/LICENSES.txt").read_text()
    assert (STATIC / "vendor/htmx/LICENSE").exists()
    assert "new Function" not in (STATIC / "vendor/codemirror/codemirror.js").read_text()
