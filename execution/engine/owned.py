"""What a driver keeps of an instance that it holds."""

from __future__ import annotations

import asyncio
import time
from datetime import datetime

from execution.engine.core import SUSPECT
from execution.engine.state import InstanceState


class Owned:
    """`gone`: no longer ours, nothing of it may be written; `released`: its last unit is with the journal."""

    __slots__ = (
        "adopted_at",
        "fed",
        "fence",
        "flow_id",
        "gone",
        "id",
        "released",
        "state",
        "struck",
        "tick_at",
        "ticker",
    )

    def __init__(self, state: InstanceState, fence: int, *, struck: bool) -> None:
        self.id = state.id
        self.flow_id = state.flow_id
        self.state = state
        self.fence = fence
        self.struck = struck
        self.adopted_at = time.monotonic()
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


class Holdings(dict[str, Owned]):
    """All that a driver holds, by id, counted. Read by other threads too: by copies, or a number."""

    def __init__(self) -> None:
        super().__init__()
        self.struck = 0
        self.of_flow: dict[str, int] = {}

    def tries(self, *, within: float) -> bool:
        """Whether one that its next strike would park is on trial: held not longer than that, and no outcome yet."""
        if not self.struck:
            return False
        since = time.monotonic() - within
        return any(each.state.strikes >= SUSPECT and each.adopted_at > since for each in list(self.values()))

    def add(self, owned: Owned) -> None:
        self[owned.id] = owned
        self._count(owned, 1)

    def remove(self, owned: Owned) -> None:
        """Unless another life of the same instance has taken its place."""
        if self.get(owned.id) is owned:
            del self[owned.id]
            self._count(owned, -1)

    def _count(self, owned: Owned, change: int) -> None:
        self.struck += owned.struck * change
        left = self.of_flow.get(owned.flow_id, 0) + change
        if left:
            self.of_flow[owned.flow_id] = left
        else:
            del self.of_flow[owned.flow_id]
