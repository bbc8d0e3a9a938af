"""The failure port: how the engine asks what to do about a failure without knowing who answers.

`retries` implements it and is named in settings (`DISTTASK["FAILURE_PORT"]`). Pure: no clock, no randomness, no I/O.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from execution.domain.outcome import Failure
from execution.engine.state import PortRow
from flows.domain.compiled import RetryPolicy


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedTask:
    """The task that failed, as the failure port sees it. `retries` were spent in this `run` before this failure."""

    instance_id: str
    flow_id: str
    flow_name: str
    task_id: str
    task_name: str
    run: int
    attempt: int
    retries: int
    first_failed_at: datetime
    runbook: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureDecision:
    """`retry_at`: try again then; None: final. `rows` are written in the same group as the failure."""

    retry_at: datetime | None
    rows: Sequence[PortRow]


@dataclass(frozen=True, slots=True, kw_only=True)
class RowSpec:
    """A table the port writes: its database name, key column and all columns with their kinds.

    Kinds: `text`, `int`, `float`, `bool`, `time`, `json`.
    """

    table: str
    key: str
    columns: Mapping[str, str]


class FailurePort(Protocol):
    tables: Mapping[str, RowSpec]

    def on_failure(
        self, task: FailedTask, failure: Failure, policy: RetryPolicy, *, now: datetime, jitter: float
    ) -> FailureDecision:
        """What to do about a failure. `jitter` is drawn from [0, 1)."""

    def on_retry(self, task: FailedTask, *, now: datetime, by: str) -> Sequence[PortRow]:
        """Rows for a person's retry: the open exception becomes `retrying`."""

    def on_success(self, task: FailedTask, *, now: datetime, by: str) -> Sequence[PortRow]:
        """Rows that close what is open: the task succeeded, was skipped or marked by a person (`by`)."""
