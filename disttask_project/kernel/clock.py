"""Time as an argument: the domain never reads a clock, whoever calls it does, through this port."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    def now(self) -> datetime:
        """Aware UTC time; in the engine the database's time (architecture 4.4)."""

    def monotonic(self) -> float:
        """Seconds that never step back: for deadlines and durations."""


class SystemClock:
    """This host's clocks."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()
