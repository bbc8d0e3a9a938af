"""What a driver knows of one target: how it answers, what its limits and its breaker allow, and who waits for it."""

from __future__ import annotations

import random
from collections import deque
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum
from typing import Final

from execution.domain.breaker import Breaker, BreakerPolicy
from execution.domain.health import Window
from execution.domain.limiter import MOMENT_LASTS
from execution.engine.lines import FairLine

LEAST_LINE: Final = 20  # instances that may wait in memory for one target ...
MOST_LINE: Final = 200
# Parked work is woken by ramps and by free permits; this is only for the case that nobody wakes it.
ASLEEP: Final = timedelta(minutes=15)
LONGEST_WAIT: Final = timedelta(hours=1)


class Admission(Enum):
    """What a gate says to a call that would start."""

    GO = "go"
    WAIT = "wait"  # soon: in line, in memory
    PARK = "park"  # not soon: its instance is given back, unless it has other things to do


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What holds of a target beyond the usual. Limits 0: none."""

    breaker: Breaker = field(default_factory=Breaker)
    concurrency: int = 0
    rate: float = 0.0


class Gate:
    """Only the loop touches it. `rule` None: everything passes."""

    __slots__ = (
        "dirty",
        "done",
        "id",
        "in_flight",
        "line",
        "moments",
        "parks",
        "permits",
        "permits_until",
        "queue_at",
        "rule",
        "starved_since",
        "throughput",
        "watchers",
        "window",
    )

    def __init__(self, target_id: str, *, window: float) -> None:
        self.id = target_id
        self.window = Window(window)
        self.dirty = False  # calls have ended since the last report
        self.in_flight = 0
        self.done = 0  # calls that ended since the last look
        self.throughput = 0.0  # calls a second, lately
        self.rule: Rule | None = None
        self.permits = 0
        self.permits_until = 0.0  # monotonic
        self.moments: deque[float] = deque()  # monotonic times at which one call each may start
        self.line = FairLine()
        self.watchers: set[str] = set()  # instances still held that were refused: to be asked again when it changes
        self.queue_at = 0.0  # monotonic; when the last one parked for a limit will have its turn
        self.parks = 0
        self.starved_since: float | None = None

    def look(self, *, now: datetime, monotonic: float, policy: BreakerPolicy, in_turn: bool) -> Admission:
        """What it says, without taking anything."""
        rule = self.rule
        if rule is None:
            return Admission.GO
        most = rule.breaker.may_pass(now, policy)
        if most == 0:
            return Admission.PARK
        if most is not None and self.in_flight >= most:
            return Admission.WAIT
        if rule.concurrency and (self.in_flight >= self.permits or monotonic >= self.permits_until):
            return Admission.WAIT
        if self.line and not in_turn:
            return Admission.WAIT
        if rule.rate and not self._has_moment(monotonic):
            return Admission.WAIT
        return Admission.GO

    def take(self) -> None:
        """After a look that said GO."""
        self.in_flight += 1
        if self.rule is not None and self.rule.rate and self.moments:
            self.moments.popleft()

    def _has_moment(self, monotonic: float) -> bool:
        while self.moments and self.moments[0] < monotonic - MOMENT_LASTS:
            self.moments.popleft()
        return bool(self.moments) and self.moments[0] <= monotonic

    @property
    def line_most(self) -> int:
        """How many may wait in memory: about what starts within a second."""
        rule = self.rule
        if rule is None:
            return MOST_LINE
        expected = max(self.throughput, 2.0 * min(rule.concurrency, MOST_LINE), min(rule.rate, MOST_LINE))
        return int(max(LEAST_LINE, min(MOST_LINE, expected)))

    def park_until(self, *, now: datetime, monotonic: float, is_open: bool) -> datetime:
        """When to look again should nobody wake it. For a limit: about when its turn comes."""
        self.parks += 1
        if is_open:
            return now + ASLEEP * (1.0 + random.random())  # noqa: S311  spreads them, guards nothing
        rule = self.rule or Rule()
        per_second = rule.rate or self.throughput or float(rule.concurrency) or 1.0
        self.queue_at = max(self.queue_at, monotonic + 1.0) + 1.0 / per_second
        return now + min(LONGEST_WAIT, timedelta(seconds=self.queue_at - monotonic))
