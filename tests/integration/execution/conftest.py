from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.fakes.executors import Scripted
from tests.integration.execution.kit import Bench

# Commits for real, as threads and processes of the engine do. Only these apps' tables are emptied after each test,
# and nothing is migrated again: a flush of everything takes seconds.
ENGINE_APPS = ["flows", "execution", "retries"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "bench" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.store)
            item.add_marker(pytest.mark.django_db(transaction=True, available_apps=ENGINE_APPS))


@pytest.fixture
def bench() -> Bench:
    """Needs the mark above, which its name brings."""
    return Bench()


@pytest.fixture
def scripted() -> Iterator[Scripted]:
    executor = Scripted()
    yield executor
    executor.gate.set()
