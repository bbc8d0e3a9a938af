"""Health, metrics, the operations log, tokens, the schema and the pages for a browser."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from drf_spectacular.drainage import GENERATOR_STATS
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.validation import validate_schema
from rest_framework.test import APIClient

from disttask_project.access.models import ApiToken
from execution.engine.loading import current_store
from execution.models import EngineSession

pytestmark = [pytest.mark.django_db, pytest.mark.store]


def test_health_needs_no_login_and_ready_names_what_is_not() -> None:
    anonymous = Client()
    assert anonymous.get("/health").json()["data"]["status"] == "ok"
    assert anonymous.get("/healthz").json()["code"] == 0
    ready = anonymous.get("/readyz").json()
    assert set(ready["data"]["checks"].values()) == {"ok"}
    store = current_store()
    store.beat("d", host="h", pid=1, kind="engine", state="running", in_flight=0, now=store.now())
    assert anonymous.get("/readyz").status_code == 200
    EngineSession.objects.update(heartbeat_at="2020-01-01T00:00:00Z")
    unready = anonymous.get("/readyz")
    assert (unready.status_code, unready.json()["error"]) == (503, "NOT_READY")
    assert unready.json()["errors"][0]["loc"] == ["driver"]


def test_metrics_are_for_this_host_and_for_viewers(client_of: Callable[[str], APIClient], started: str) -> None:
    local = Client().get("/metrics")
    assert local.status_code == 200
    assert 'disttask_instances{status="pending"} 1.0' in local.content.decode()
    assert Client().get("/metrics", REMOTE_ADDR="10.0.0.9").status_code == 401
    assert Client().get("/metrics", HTTP_X_FORWARDED_FOR="10.0.0.9").status_code == 401
    assert client_of("nobody").get("/metrics", REMOTE_ADDR="10.0.0.9").status_code == 403
    accept = "application/openmetrics-text;version=1.0.0"
    assert client_of("viewer").get("/metrics", REMOTE_ADDR="10.0.0.9", HTTP_ACCEPT=accept).status_code == 200


def test_the_operations_log_is_read(admin: APIClient, started: str) -> None:
    admin.post(f"/api/v1/transactions/{started}/pause", {"reason": "look"}, format="json")
    data = admin.get("/api/v1/audit?actor=admin&object_type=instance&object_id=O-1").json()["data"]
    assert [(row["act"], row["reason"], row["source"]) for row in data["list"]] == [("instance.pause", "look", "rest")]
    assert data["list"][0]["before"]["status"] == "pending"
    assert data["list"][0]["after"]["status"] == "paused"


def test_a_user_sees_and_revokes_own_tokens(client_of: Callable[[str], APIClient]) -> None:
    viewer, other = client_of("viewer"), client_of("editor")
    mine = viewer.get("/api/v1/tokens").json()["data"]["list"]
    assert len(mine) == 1
    foreign = ApiToken.objects.get(user__username="editor").token_key
    assert viewer.delete(f"/api/v1/tokens/{foreign}").status_code == 403
    assert viewer.delete(f"/api/v1/tokens/{mine[0]['key']}").status_code == 200
    assert viewer.get("/api/v1/tokens").status_code == 401
    assert other.get("/api/v1/tokens").status_code == 200


def test_the_schema_is_drawn_without_a_warning_and_describes_the_envelope() -> None:
    GENERATOR_STATS.reset()
    generator: Any = SchemaGenerator
    validate: Any = validate_schema
    schema: dict[str, Any] = generator().get_schema(request=None, public=True)
    assert not GENERATOR_STATS, (GENERATOR_STATS._warn_cache, GENERATOR_STATS._error_cache)
    validate(schema)
    assert all(path.startswith("/api/v1/") for path in schema["paths"])
    good = schema["paths"]["/api/v1/transactions/{instance_id}"]["get"]["responses"]["200"]
    shape = good["content"]["application/json"]["schema"]["properties"]
    assert set(shape) == {"code", "message", "data", "request_id"}
    referred = set(re.findall(r"#/components/schemas/(\w+)", str(schema)))
    assert referred <= set(schema["components"]["schemas"])
    ids = [operation["operationId"] for path in schema["paths"].values() for operation in path.values()]
    assert len(ids) == len(set(ids))


def test_the_documentation_is_served_from_our_own_files() -> None:
    anonymous = Client()
    assert anonymous.get("/api/schema").status_code == 200
    page = anonymous.get("/api/docs")
    html = page.content.decode()
    assert page.status_code == 200
    assert "swagger-ui" in html
    assert not re.findall(r"""(?:src|href)=["'](?:https?:)?//""", html)
    assert not re.findall(r"<script(?![^>]*\bsrc=)[^>]*>\s*\S", html)
    script = anonymous.get("/api/docs?script=")
    assert script.headers["Content-Type"].startswith("application/javascript")


def test_a_browser_with_a_session_sees_the_envelope_and_a_form(started: str) -> None:
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(User.objects.get(username="admin"))
    page = browser.get(f"/api/v1/transactions/{started}", HTTP_ACCEPT="text/html")
    html = page.content.decode()
    assert page.status_code == 200
    assert "request_id" in html
    assert not re.findall(r"""(?:src|href)=["'](?:https?:)?//""", html)
    listing = browser.get("/api/v1/transactions", HTTP_ACCEPT="text/html").content.decode()
    assert "demo-order" in listing  # the example in the raw form
    refused = browser.post("/api/v1/transactions", {}, content_type="application/json")
    assert (refused.status_code, refused.json()["error"]) == (403, "FORBIDDEN")
    bad = browser.get("/api/v1/transactions?nothing=1", HTTP_ACCEPT="text/html")
    assert (bad.status_code, "unknown_key" in bad.content.decode()) == (422, True)


def test_a_stranger_in_a_browser_is_shown_where_to_sign_in() -> None:
    page = Client().get("/api/v1/transactions", HTTP_ACCEPT="text/html")
    assert page.status_code == 401
    assert "/admin/login/" in page.content.decode()
