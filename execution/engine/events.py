"""What can happen to an instance: the inputs of `core.step`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from execution.domain.outcome import Outcome
from execution.engine.state import AttemptRow


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """First event after every claim. `open_attempts` were left `started` by an older fence: their outcome is unknown."""

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
class Act:
    """One OperatorAction row. `act`: retry, skip, mark_success, cancel, pause, resume, close."""

    action_id: str
    act: str
    task_id: str = ""
    payload: Mapping[str, Any]
    actor: str
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Acts:
    """The inbox moved: all acts that are open, in the order they were asked, and the inbox count they bring."""

    acts: Sequence[Act]
    inbox: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Park:
    """Take the instance out of circulation until a person looks: `POISON` or `RECORD_REFUSED`."""

    code: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Abandon:
    """The driver is going: calls still in flight are given up as `unknown` to whoever claims next, row released."""


Event = Claimed | Tick | Start | Ended | Acts | Park | Abandon
