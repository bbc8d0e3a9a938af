"""Endpoint by role, generated from the URL conf: a new endpoint without a row here fails (quality S4)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.urls import URLPattern, URLResolver, get_resolver
from rest_framework.test import APIClient

from disttask_project.urls import api_v1
from tests.fakes.driving import drive, refused

pytestmark = [pytest.mark.django_db, pytest.mark.store]

EVERYONE = ("nobody", "viewer", "operator", "editor", "admin")
VIEWERS = ("viewer", "operator", "editor", "admin")
OPERATORS = ("operator", "admin")
STARTERS = ("operator", "editor", "admin")
EDITORS = ("editor", "admin")
ADMINS = ("admin",)

# Who gets past the permission check; everybody else is told 403, and nobody without a token anything but 401.
MATRIX: dict[tuple[str, str], tuple[str, ...]] = {
    ("GET", "flows"): VIEWERS,
    ("POST", "flows"): EDITORS,
    ("POST", "flow-validate"): VIEWERS,
    ("GET", "flow"): VIEWERS,
    ("PUT", "flow"): EDITORS,
    ("DELETE", "flow"): EDITORS,
    ("POST", "flow-activate"): EDITORS,
    ("POST", "flow-deactivate"): EDITORS,
    ("GET", "flow-versions"): VIEWERS,
    ("GET", "flow-version"): VIEWERS,
    ("POST", "flow-publish"): EDITORS,
    ("GET", "flow-diff"): VIEWERS,
    ("GET", "flow-graph"): VIEWERS,
    ("POST", "flow-dry-run"): VIEWERS,
    ("GET", "task-definitions"): VIEWERS,
    ("POST", "task-definitions"): EDITORS,
    ("GET", "task-definition"): VIEWERS,
    ("PUT", "task-definition"): EDITORS,
    ("DELETE", "task-definition"): EDITORS,
    ("GET", "descriptor-sets"): VIEWERS,
    ("POST", "descriptor-sets"): EDITORS,
    ("GET", "descriptor-set"): VIEWERS,
    ("DELETE", "descriptor-set"): EDITORS,
    ("GET", "task-definition-use"): VIEWERS,
    ("POST", "task-try"): EDITORS,
    ("GET", "catalog"): VIEWERS,
    ("POST", "catalog"): EDITORS,
    ("GET", "flow-schema"): VIEWERS,
    ("GET", "transactions"): VIEWERS,
    ("POST", "transactions"): STARTERS,
    ("POST", "transactions-bulk"): STARTERS,
    ("GET", "transaction"): VIEWERS,
    ("GET", "transaction-tasks"): VIEWERS,
    ("GET", "task-attempts"): VIEWERS,
    ("GET", "transaction-logs"): VIEWERS,
    ("GET", "transaction-graph"): VIEWERS,
    ("GET", "transaction-timeline"): VIEWERS,
    ("GET", "transaction-diagnosis"): VIEWERS,
    ("GET", "transaction-compensation-plan"): VIEWERS,
    ("POST", "transaction-compensate"): OPERATORS,
    ("POST", "task-rerun"): OPERATORS,
    ("POST", "transaction-retry"): OPERATORS,
    ("POST", "transaction-cancel"): OPERATORS,
    ("POST", "transaction-pause"): OPERATORS,
    ("POST", "transaction-resume"): OPERATORS,
    ("POST", "transaction-close"): OPERATORS,
    ("POST", "task-retry"): OPERATORS,
    ("POST", "task-skip"): OPERATORS,
    ("POST", "task-mark-success"): OPERATORS,
    ("GET", "targets"): VIEWERS,
    ("GET", "target"): VIEWERS,
    ("POST", "target-open"): OPERATORS,
    ("POST", "target-close"): OPERATORS,
    ("POST", "target-limits"): OPERATORS,
    ("GET", "task-types"): VIEWERS,
    ("GET", "stats-overview"): VIEWERS,
    ("GET", "stats-flow"): VIEWERS,
    ("GET", "exceptions"): VIEWERS,
    ("GET", "exception-groups"): VIEWERS,
    ("GET", "exception"): VIEWERS,
    ("POST", "exception-retry"): OPERATORS,
    ("POST", "exception-handle"): OPERATORS,
    ("POST", "exception-acknowledge"): OPERATORS,
    ("POST", "exception-assign"): OPERATORS,
    ("POST", "exception-ignore"): OPERATORS,
    ("POST", "exception-reopen"): OPERATORS,
    ("GET", "exception-group"): VIEWERS,
    ("POST", "exception-group-act"): OPERATORS,
    ("GET", "exception-comments"): VIEWERS,
    ("POST", "exception-comments"): OPERATORS,
    ("GET", "audit"): ADMINS,
    ("GET", "secrets"): ADMINS,
    ("PUT", "secret"): ADMINS,
    ("DELETE", "secret"): ADMINS,
    ("GET", "tokens"): EVERYONE,
    ("DELETE", "token"): ADMINS,  # somebody else's; one's own is everybody's
}
# Open on purpose: probes, the schema and its page. `metrics` has a test of its own.
OPEN = {"health", "healthz", "readyz", "api-schema", "api-docs", "metrics"}


def endpoints() -> Iterator[tuple[str, str, str]]:
    """(method, name, address with its parameters filled in) of everything under /api/v1."""
    for pattern in patterns(api_v1):
        view: Any = pattern.callback
        address = str(pattern.pattern)
        for parameter, kind in pattern.pattern.converters.items():
            value = "1" if type(kind).__name__ == "IntConverter" else "O-1"
            address = address.replace(f"<str:{parameter}>", value).replace(f"<int:{parameter}>", value)
        for method in ("get", "post", "put", "patch", "delete"):
            if hasattr(view.cls, method):
                yield method.upper(), str(pattern.name), f"/api/v1/{address}"


def patterns(entries: list[Any]) -> Iterator[URLPattern]:
    for entry in entries:
        if isinstance(entry, URLResolver):
            yield from patterns(entry.url_patterns)
        else:
            yield entry


def test_every_endpoint_has_its_row() -> None:
    found = {(method, name) for method, name, _address in endpoints()}
    assert found == set(MATRIX)
    top = {entry.name for entry in get_resolver().url_patterns if isinstance(entry, URLPattern)}
    assert {name for name in top if name} == OPEN


@pytest.mark.parametrize("role", ["anonymous", *EVERYONE])
def test_each_role_gets_what_it_may_and_no_more(role: str, client_of: Callable[[str], APIClient], started: str) -> None:
    drive(first=refused())
    client = client_of(role)
    surprises: list[str] = []
    for method, name, address in endpoints():
        body: Any = b'{"\x7f": 1}'
        # A body like this passes no service's own check, so that nothing is changed for the next endpoint.
        answer = client.generic(method, address, body, content_type="application/json")
        if role == "anonymous":
            good = answer.status_code == 401
        elif role in MATRIX[method, name]:
            good = answer.status_code in (200, 201, 202, 404, 409, 422)
        else:
            good = answer.status_code == 403
        if not good:
            surprises.append(f"{role} {method} {address}: {answer.status_code}")
    assert surprises == []
