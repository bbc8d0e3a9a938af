"""How a target has answered lately: a sliding window of calls, kept by each driver and merged by whoever reads.

Times are seconds since the epoch by the database's clock, so that the windows of several hosts fit together.
"""

from __future__ import annotations

import math
from collections import Counter, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from execution.domain.outcome import Outcome, Result, Sort

BUCKET: Final = 5.0  # seconds that one bucket gathers
STEPS_A_DOUBLING: Final = 4  # latencies are told apart by a factor of 2 ** (1 / 4), about 19 %
MOST_STEP: Final = 80  # 2 ** 20 ms: a quarter of an hour
# Failures of ours that say nothing about the target, though their sort is one of a target's.
OURS: Final = frozenset({"EXECUTOR_ERROR", "CALL_CANCELLED", "NO_EXECUTOR"})


def is_target_error(outcome: Outcome) -> bool:
    """Whether a call's outcome speaks against its target. A refusal for good is an answer like any other."""
    return not isinstance(outcome, Result) and outcome.sort is not Sort.REFUSED and outcome.code not in OURS


@dataclass(slots=True)
class Bucket:
    """The calls that ended within some seconds; `steps` counts them by latency."""

    start: float
    calls: int = 0
    errors: int = 0
    steps: Counter[int] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What a window shows. Latencies in ms, None without calls."""

    calls: int = 0
    errors: int = 0
    p50: float | None = None
    p95: float | None = None

    @property
    def error_rate(self) -> float:
        return self.errors / self.calls if self.calls else 0.0


class Window:
    """The last `seconds` of one driver's calls to one target. Memory is bounded: a bucket each 5 s."""

    __slots__ = ("_seconds", "buckets")

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self.buckets: deque[Bucket] = deque()

    def add(self, now: float, *, is_error: bool, ms: float) -> None:
        if not self.buckets or now - self.buckets[-1].start >= BUCKET:
            self.buckets.append(Bucket(now))
            self.forget(now)
        bucket = self.buckets[-1]
        bucket.calls += 1
        bucket.errors += is_error
        bucket.steps[step_of(ms)] += 1

    def cut(self, now: float) -> None:
        """What comes from now on is told apart from what was: the breaker has changed its state."""
        self.buckets.append(Bucket(now))

    def forget(self, now: float) -> None:
        while self.buckets and self.buckets[0].start < now - self._seconds - BUCKET:
            self.buckets.popleft()

    def plain(self) -> list[Any]:
        """As JSON, for other drivers to read."""
        return [
            [round(each.start, 3), each.calls, each.errors, {str(step): n for step, n in each.steps.items()}]
            for each in self.buckets
            if each.calls
        ]


def read_window(plain: Any) -> list[Bucket]:
    """What `Window.plain` wrote; anything else is an empty window."""
    found = []
    for row in plain if isinstance(plain, list) else ():
        try:
            start, calls, errors, steps = row
            found.append(Bucket(float(start), int(calls), int(errors), Counter({int(k): int(steps[k]) for k in steps})))
        except (TypeError, ValueError):
            continue
    return found


def figures(windows: Iterable[Iterable[Bucket]], *, now: float, seconds: float, since: float = 0.0) -> Figures:
    """All windows as one: what began to be gathered within the last `seconds`, and not before `since`."""
    calls = errors = 0
    steps: Counter[int] = Counter()
    first = max(now - seconds, since)
    for window in windows:
        for bucket in window:
            if bucket.start >= first:
                calls += bucket.calls
                errors += bucket.errors
                steps.update(bucket.steps)
    return Figures(calls=calls, errors=errors, p50=_quantile(steps, 0.5), p95=_quantile(steps, 0.95))


def step_of(ms: float) -> int:
    """The class of a latency: k stands for up to 2 ** (k / 4) ms."""
    if ms <= 1.0:
        return 0
    return min(MOST_STEP, math.ceil(math.log2(ms) * STEPS_A_DOUBLING))


def _quantile(steps: Mapping[int, int], share: float) -> float | None:
    total = sum(steps.values())
    if not total:
        return None
    wanted = math.ceil(total * share)
    seen = 0
    ordered: Sequence[int] = sorted(steps)
    for step in ordered:
        seen += steps[step]
        if seen >= wanted:
            return float(round(2 ** (step / STEPS_A_DOUBLING), 1))
    raise AssertionError("unreachable")
