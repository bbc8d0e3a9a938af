"""The database's time, told from this host's monotonic clock between two readings."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta


class DatabaseClock:
    """`kernel.clock.Clock` whose `now` does not care how wrong this host's clock is, or when it is set."""

    def __init__(self) -> None:
        # Until the first reading: this host's.
        self._read: tuple[datetime, float] = (datetime.now(UTC), time.monotonic())

    def now(self) -> datetime:
        at, monotonic = self._read
        return at + timedelta(seconds=time.monotonic() - monotonic)

    def monotonic(self) -> float:
        return time.monotonic()

    def refresh(self, read: Callable[[], datetime]) -> None:
        """Read the database's time; the answer counts for the middle of the question."""
        asked = time.monotonic()
        at = read()
        self._read = (at, (asked + time.monotonic()) / 2)
