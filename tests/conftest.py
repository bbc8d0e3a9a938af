"""The suite runs against one store at a time: SQLite, or the server named by DISTTASK_DATABASE_URL."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import structlog
from django.conf import settings
from django.db import connections
from django.utils import translation


@pytest.fixture(autouse=True)
def _own_context() -> Iterator[None]:
    """What a test binds to its log lines, or its language, is not the next one's."""
    structlog.contextvars.clear_contextvars()
    translation.activate("en")
    yield
    structlog.contextvars.clear_contextvars()
    translation.deactivate()


@pytest.fixture(scope="session")
def store_vendor() -> str:
    """sqlite, mysql (MariaDB too) or postgresql."""
    return str(connections["default"].vendor)


def pytest_report_header() -> str:
    database = settings.DATABASES["default"]
    return f"store: {database['ENGINE'].rpartition('.')[2]} {database.get('HOST', '')}".rstrip()
