from __future__ import annotations

import pytest

from execution.executors import secrets
from tests.fakes.secrets import NoStore


@pytest.fixture(autouse=True)
def _no_stored_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Unit tests have no database, so nothing is stored."""
    monkeypatch.setattr(secrets, "_STORED", NoStore())
