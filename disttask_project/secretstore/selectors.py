"""Reading the store: the list without values for people, and the values for the moment a task is sent."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from typing import Final

import structlog
from django.db import DatabaseError

from disttask_project.secretstore.models import StoredSecret
from disttask_project.secretstore.sealing import CannotOpen, open_sealed
from disttask_project.secretstore.services import MAX_SECRETS

log = structlog.get_logger(__name__)

FRESH_SECONDS: Final = 5.0


def list_secrets() -> Sequence[StoredSecret]:
    """All of them by name, without their values."""
    return list(StoredSecret.objects.defer("sealed").order_by("name")[:MAX_SECRETS])


class SecretValues:
    """The opened values of one process, read anew when older than `FRESH_SECONDS`. Safe to share between threads."""

    def __init__(self) -> None:
        self._values: Mapping[str, str] = {}
        self._read_at: float | None = None
        self._lock = threading.Lock()

    @property
    def is_fresh(self) -> bool:
        return self._read_at is not None and time.monotonic() - self._read_at < FRESH_SECONDS

    @property
    def was_read(self) -> bool:
        return self._read_at is not None

    def get(self, name: str) -> str:
        """As last read; empty where there is none."""
        return self._values.get(name, "")

    def refresh(self) -> None:
        """Read the store. While the database does not answer, what was read before goes on being used."""
        with self._lock:
            if self.is_fresh:
                return
            try:
                rows = list(StoredSecret.objects.values_list("name", "sealed")[:MAX_SECRETS])
            except DatabaseError as error:
                log.warning("secrets_not_read", error=type(error).__name__)
                return
            self._values = dict(_opened(rows))
            self._read_at = time.monotonic()


def _opened(rows: Sequence[tuple[str, str]]) -> Mapping[str, str]:
    values: dict[str, str] = {}
    for name, sealed in rows:
        try:
            values[name] = open_sealed(name, sealed)
        except CannotOpen:
            log.warning("secret_cannot_be_opened", name=name, mend="set it anew, or name its key in old_secrets_keys")
    return values
