"""Descriptor sets over REST."""

from __future__ import annotations

import base64
from collections.abc import Callable

import pytest
from rest_framework.test import APIClient

from tests.integration.flows.test_describing import flow, packed

pytestmark = [pytest.mark.store, pytest.mark.django_db]


def test_rest_takes_shows_and_removes_a_set(client_of: Callable[[str], APIClient]) -> None:
    client = client_of("editor")
    body = {"name": "payment", "content": base64.b64encode(packed()).decode()}
    answer = client.post("/api/v1/descriptor-sets", body, format="json")
    assert answer.status_code == 201
    digest = answer.json()["data"]["hash"]
    flow("by-name")
    shown = client.get(f"/api/v1/descriptor-sets/{digest}").json()["data"]
    assert [use["flow_name"] for use in shown["used_by"]] == ["by-name"]
    assert [row["hash"] for row in client.get("/api/v1/descriptor-sets").json()["data"]["list"]] == [digest]
    refused = client.post("/api/v1/descriptor-sets", body | {"content": "???"}, format="json")
    assert (refused.status_code, refused.json()["errors"][0]["loc"]) == (422, ["content"])
    assert client.delete(f"/api/v1/descriptor-sets/{digest}").status_code == 200
    assert client.get(f"/api/v1/descriptor-sets/{digest}").status_code == 404
