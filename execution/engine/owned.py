"""What a driver keeps of an instance that it holds."""

from __future__ import annotations

import asyncio
from datetime import datetime

from execution.engine.state import InstanceState


class Owned:
    """`gone`: no longer ours, nothing of it may be written; `released`: its last unit is with the journal."""

    __slots__ = ("fed", "fence", "flow_id", "gone", "id", "released", "state", "struck", "tick_at", "ticker")

    def __init__(self, state: InstanceState, fence: int, *, struck: bool) -> None:
        self.id = state.id
        self.flow_id = state.flow_id
        self.state = state
        self.fence = fence
        self.struck = struck
        self.fed: set[str] = set()  # acts given to the core whose verdict may not be committed yet
        self.gone = False
        self.released = False
        self.tick_at: datetime | None = None
        self.ticker: asyncio.TimerHandle | None = None

    @property
    def is_live(self) -> bool:
        """Whether events may still be fed to its state."""
        return not (self.gone or self.released)

    def cancel_tick(self) -> None:
        self.tick_at = None
        if self.ticker is not None:
            self.ticker.cancel()
            self.ticker = None
