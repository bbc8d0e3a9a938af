"""Callers of every role, and a flow that needs no target."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from rest_framework.test import APIClient

from disttask_project.access.models import ApiToken
from disttask_project.kernel.actor import system_actor
from flows.models import Flow
from flows.services import create_flow

ROLES = {
    "nobody": None,
    "viewer": "Viewer",
    "operator": "Operator",
    "editor": "Flow editor",
    "admin": "Administrator",
}
TWO_STEPS: dict[str, Any] = {
    "name": "two-steps",
    "runbook": "https://wiki.example/two-steps",
    "input_schema": {"type": "object", "properties": {"amount": {"type": "integer"}}},
    "tags": {"order": "${params.order}"},
    "tasks": [
        {"id": "first", "task_name": "noop", "input": {"order": "${params.order}"}},
        {"id": "second", "task_name": "noop", "depends_on": ["first"]},
    ],
}


@pytest.fixture
def flow(db: None) -> Flow:
    return create_flow(definition=TWO_STEPS, actor=system_actor())


@pytest.fixture
def client_of(db: None) -> Callable[[str], APIClient]:
    """A client that sends the token of a user of the role; `anonymous` sends none."""

    def make(role: str) -> APIClient:
        client = APIClient()
        if role == "anonymous":
            return client
        user, _made = User.objects.get_or_create(username=role)
        if ROLES[role]:
            user.groups.add(Group.objects.get(name=ROLES[role]))
        _token, plain = ApiToken.objects.create(user=user)
        client.credentials(HTTP_AUTHORIZATION=f"Bearer {plain}")
        return client

    return make


@pytest.fixture
def admin(client_of: Callable[[str], APIClient]) -> APIClient:
    return client_of("admin")


@pytest.fixture
def started(admin: APIClient, flow: Flow) -> str:
    answer = admin.post(
        "/api/v1/transactions", {"flow_name": flow.name, "instance_id": "O-1", "params": {"order": "7"}}, format="json"
    )
    assert answer.status_code == 201, answer.content
    return "O-1"
