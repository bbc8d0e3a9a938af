"""What can happen to an instance: the inputs of `core.step`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from execution.domain.outcome import Outcome
from execution.engine.state import Act, AttemptRow


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """First event after every claim. `open_attempts` were left `started` by an older fence: nobody knows their end."""

    open_attempts: Sequence[AttemptRow] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """Time has passed: retries that are due become ready, a deadline takes effect."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """Slots were taken for these ready tasks; their attempts begin."""

    task_ids: Sequence[str]
    worker: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """A call ended. Ignored (kept as stale by the driver) unless the attempt is the task's open one."""

    task_id: str
    attempt: int
    outcome: Outcome
    duration_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Acts:
    """The inbox moved: the acts that are open, in the order they were asked, and the inbox count they bring.

    Also the second event after a claim where the row's `inbox` is above 0: an act may have outlived its driver.
    """

    acts: Sequence[Act]
    inbox: int
    release: bool = False  # asked by a service that holds the row for this one step: it gives it back at once


@dataclass(frozen=True, slots=True, kw_only=True)
class Park:
    """First event instead of `Claimed`: take the instance out of circulation until a person looks.

    `RECORD_REFUSED` when the database will not take what a step wrote; `UNLOADABLE` when its version cannot be
    compiled. (`POISON` the core finds by itself, from the strikes.) Acts to `refuse` are those that cannot be done:
    left open they would wake the instance again and again.
    """

    code: str
    message: str
    open_attempts: Sequence[AttemptRow] = ()
    refuse: Sequence[Act] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Defer:
    """All that could start waits for a target: the row is given back, due again at `until` or when it is woken.

    Ignored while a call is in flight or nothing waits to start. No attempt is spent. `code`: breaker, limit.
    """

    target: str
    task_id: str
    code: str
    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Abandon:
    """The driver is going: calls still in flight are recorded as `unknown`, and the row is released."""


Event = Claimed | Tick | Start | Ended | Acts | Park | Defer | Abandon
