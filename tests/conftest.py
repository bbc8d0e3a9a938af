"""The suite runs against one store at a time: SQLite, or the server named by DISTTASK_DATABASE_URL."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from django.conf import settings
from django.db import connections
from django.utils import translation
from hypothesis import settings as hypothesis_settings

# A busy machine is no fault of the code.
hypothesis_settings.register_profile("disttask", deadline=None)
hypothesis_settings.load_profile("disttask")


@pytest.fixture(autouse=True)
def _own_context() -> Iterator[None]:
    """What a test binds to its log lines, or its language, is not the next one's."""
    structlog.contextvars.clear_contextvars()
    translation.activate("en")
    yield
    structlog.contextvars.clear_contextvars()
    translation.deactivate()


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """knox's migrations leave the table of its own token model, which is swapped for ours: no model's table, so a
    flush passes it by, and PostgreSQL then truncates nothing that it refers to."""
    del django_db_setup
    with django_db_blocker.unblock(), connections["default"].cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS knox_authtoken")
    yield
    with django_db_blocker.unblock():
        _end_idle_sessions()


def _end_idle_sessions() -> None:
    """PostgreSQL drops no database that somebody is connected to, be it a thread of a test that has not quite ended."""
    if connections["default"].vendor != "postgresql":
        return
    with connections["default"].cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid), query FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid() AND state = 'idle'"
        )
        for _ended, query in cursor.fetchall():
            print(f"a test left a session idle after: {query[:200]}", file=sys.stderr)


@pytest.fixture(scope="session")
def store_vendor() -> str:
    """sqlite, mysql (MariaDB too) or postgresql."""
    return str(connections["default"].vendor)


def pytest_report_header() -> str:
    database = settings.DATABASES["default"]
    return f"store: {database['ENGINE'].rpartition('.')[2]} {database.get('HOST', '')}".rstrip()


def _uses_database(item: pytest.Item) -> bool:
    asked = getattr(item, "fixturenames", ())
    return item.get_closest_marker("django_db") is not None or "db" in asked or "transactional_db" in asked


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Slow tests mostly wait: they begin first, spread over the processes, and what is quick fills in beside them.

    Each process of xdist begins with an equal share of the order it is given, and takes from the others later. Those
    that use the test's own database stay where they are: what they flush is not there for those after them.
    """
    processes = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    slow = [item for item in items if item.get_closest_marker("slow") and not _uses_database(item)]
    known = set(map(id, slow))
    quick = [item for item in items if id(item) not in known]
    share = -(-len(items) // processes)
    ordered: list[pytest.Item] = []
    for number in range(processes):
        mine = slow[number::processes]
        ordered += mine + [quick.pop(0) for _ in range(min(share - len(mine), len(quick)))]
    items[:] = ordered + quick
