"""One call's answers on their way back: in time to the instance, late ones to the attempt's row."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from execution.domain.outcome import Outcome, Result
from execution.engine.owned import Owned
from execution.engine.state import AttemptRow, PlannedCall

Ended = Callable[[Owned, PlannedCall, Outcome, float], None]
Late = Callable[[Owned, PlannedCall, Outcome], None]


class OneCall:
    """Tells the driver about one call (`calls.Listener`)."""

    __slots__ = ("_ended", "_free", "_late", "_owned", "_planned")

    def __init__(
        self, owned: Owned, planned: PlannedCall, *, ended: Ended, late: Late, free: Callable[[PlannedCall], None]
    ) -> None:
        self._owned = owned
        self._planned = planned
        self._ended = ended
        self._late = late
        self._free = free

    def ended(self, outcome: Outcome, duration_ms: float) -> None:
        self._ended(self._owned, self._planned, outcome, duration_ms)

    def came_late(self, outcome: Outcome) -> None:
        self._late(self._owned, self._planned, outcome)

    def freed(self) -> None:
        self._free(self._planned)


def stale_row(owned: Owned, planned: PlannedCall, outcome: Outcome, *, worker: str, now: datetime) -> AttemptRow:
    """An answer that nobody waits for any more: noted on its attempt, never applied."""
    return AttemptRow(
        instance_id=owned.id,
        task_id=planned.task_id,
        number=planned.attempt,
        run=planned.run,
        status="unknown",
        fence=owned.fence,
        worker=worker,
        key=planned.key,
        is_start=False,
        started_at=now,
        stale={"at": now.isoformat(), **_told(outcome)},
    )


def _told(outcome: Outcome) -> dict[str, Any]:
    if isinstance(outcome, Result):
        return {"result": outcome.value}
    return {"error": outcome.as_error(final=False), "response": outcome.response}
