"""Target databases of the run's vendor."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connections

from execution.executors import secrets
from tests.contract.db_target import Target
from tests.contract.listening import heard
from tests.fakes.secrets import NoStore

NAME = f"disttask_target_{os.getpid()}"


@pytest.fixture(autouse=True)
def _no_stored_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Executors are asked here without the engine's database."""
    monkeypatch.setattr(secrets, "_STORED", NoStore())


@pytest.fixture(scope="session")
def url(tmp_path_factory: pytest.TempPathFactory, django_db_setup: None, django_db_blocker: Any) -> Iterator[str]:
    """A database of its own, beside the engine's, which is left alone."""
    del django_db_setup
    own = connections["default"]
    if own.vendor == "sqlite":
        path = tmp_path_factory.mktemp("target") / "target.sqlite3"
        path.touch()
        yield f"sqlite:///{path}"
        return
    parts = own.settings_dict
    user = f"{parts['USER']}:{parts['PASSWORD']}" if parts["PASSWORD"] else parts["USER"]
    scheme = {"mysql": "mysql", "postgresql": "postgres"}[own.vendor]
    port = f":{parts['PORT']}" if parts["PORT"] else ""
    with django_db_blocker.unblock(), own.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {NAME}")
    yield f"{scheme}://{user}@{parts['HOST'] or '127.0.0.1'}{port}/{NAME}"
    with django_db_blocker.unblock(), own.cursor() as cursor:
        cursor.execute(f"DROP DATABASE {NAME}")


@pytest.fixture
def target(url: str) -> Iterator[Target]:
    made = Target(url)
    yield made
    made.close()


@pytest.fixture
def connects() -> list[Any]:
    """Every address that Python connected to in this process since the test began."""
    return heard()
