"""Twenty canaries go out with real calls; none may be found in anything that we keep or show (quality S3)."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth.models import User
from django.test import Client

from disttask_project.kernel.actor import system_actor
from disttask_project.kernel.redaction import secret_forms
from disttask_project.secretstore.selectors import SecretValues
from disttask_project.secretstore.services import set_secret
from execution.engine.loading import current_store
from execution.executors import secrets
from execution.models import Instance
from execution.services.start import start_instance
from flows.services import create_flow
from tests.fakes.http_server import HttpServer
from tests.integration.execution.kit import RunningDriver, wait_for

pytestmark = [pytest.mark.django_db(transaction=True)]

ACTOR = system_actor("ops")
COUNT = 20
PAGES = (
    "/admin/",
    "/admin/execution/instance/",
    "/admin/execution/instance/S-1/change/",
    "/admin/retries/exceptionrecord/",
    "/admin/audit/auditentry/",
    "/admin/secretstore/storedsecret/",
    "/metrics",
    "/api/v1/transactions/S-1",
    "/api/v1/transactions/S-1/tasks",
    "/api/v1/transactions/S-1/logs",
    "/api/v1/transactions/S-1/diagnosis",
    "/api/v1/exceptions",
    "/api/v1/audit",
    "/api/v1/secrets",
    *(f"/api/v1/transactions/S-1/tasks/t{number}/attempts" for number in range(COUNT)),
)


def canary(number: int) -> str:
    odd = ('"q/', "%+ ", "银行", "a=b&", "\\n<")[number % 5]
    return f"canary-{number:02d}-{odd}-{'x7Qz' * 3}{number}"


@pytest.fixture
def canaries(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """A third each in the environment, in files and in the store."""
    monkeypatch.setattr(secrets, "_STORED", SecretValues())  # what another test had read counts for five seconds
    for number in range(COUNT):
        name, value = f"C{number}", canary(number)
        if number % 3 == 0:
            monkeypatch.setenv(f"DISTTASK_SECRET_{name}", value)
        elif number % 3 == 1:
            (tmp_path / name).write_text(value, encoding="utf-8")
            monkeypatch.setenv(f"DISTTASK_SECRET_{name}_FILE", str(tmp_path / name))
        else:
            set_secret(name=name, value=value, actor=ACTOR)
    return [canary(number) for number in range(COUNT)]


def task(number: int, target: HttpServer) -> dict[str, Any]:
    """Each sends its secret at another place, and the target says it back."""
    reference = f"${{secret:C{number}}}"
    places: list[dict[str, Any]] = [
        {"url": target.url("/ok"), "body": {"password": reference, "plain": f"Bearer {reference}"}},
        {"url": target.url("/ok"), "query": {"k": reference}},
        {"url": target.url("/status/500"), "body": [reference]},
        {"url": target.url("/ok"), "body": f"<x>{reference}</x>"},
        {"url": "http://no-such-host.invalid/", "body": reference},
    ]
    return {"id": f"t{number}", "task_name": "http", "config": places[number % len(places)]}


class Lines(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


@pytest.fixture
def lines() -> Iterator[list[str]]:
    """All that is logged, in the form the product's own handler gives it."""
    handler, root = Lines(), logging.getLogger()
    if root.handlers:
        handler.setFormatter(root.handlers[0].formatter)
    root.addHandler(handler)
    yield handler.lines
    root.removeHandler(handler)


def rows() -> str:
    """Every column of every table of ours and of the queue's."""
    return "\n".join(
        json.dumps([str(value) for value in row], ensure_ascii=False)
        for model in apps.get_models()
        for row in model._default_manager.values_list()
    )


def shown() -> Iterator[str]:
    client = Client()
    client.force_login(User.objects.create_superuser("ops", password="ops-secret-1"))
    for page in PAGES:
        answer = client.get(page)
        assert answer.status_code == 200, (page, answer.content[:300])
        yield answer.content.decode()


def test_twenty_canaries_are_found_nowhere(canaries: list[str], lines: list[str]) -> None:
    with HttpServer() as target:
        flow = create_flow(
            definition={"name": "canaries", "tasks": [task(number, target) for number in range(COUNT)]}, actor=ACTOR
        )
        start_instance(flow_name=flow.name, instance_id="S-1", params={}, actor=ACTOR)
        with RunningDriver(current_store()):
            wait_for(lambda: Instance.objects.filter(pk="S-1", status="failed", owner="").exists(), within=60)
        sent = "\n".join(f"{each.query} {each.body.decode()}" for each in target.seen)
    went_out = [value for number, value in enumerate(canaries) if number % 5 == 3 and value in sent]
    assert len(went_out) == COUNT // 5, "the target was sent the real values"
    kept = "\n".join([rows(), *shown(), *lines])
    found = [value for value in canaries for form in secret_forms(value) if form in kept]
    assert found == []
