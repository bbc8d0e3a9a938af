"""The engine's failure port (architecture 4.8): policy, exception rows, nothing else. Pure.

Named in settings as `DISTTASK["FAILURE_PORT"]`; the engine writes the rows in the group that records the failure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from disttask_project.kernel.ids import derived_id
from execution.domain.outcome import Failure
from execution.engine.port import FailedTask, FailureDecision, RowSpec
from execution.engine.state import PortRow
from flows.domain.compiled import RetryPolicy, Strategy
from retries.domain.backoff import RetryDecision, decide
from retries.domain.fingerprint import fingerprint

EXCEPTION: Final = "exception"
MESSAGE_LENGTH: Final = 4000

TABLES: Final[Mapping[str, RowSpec]] = {
    EXCEPTION: RowSpec(
        table="retries_exceptionrecord",
        key="id",
        columns={
            "instance_id": "text",
            "flow_id": "text",
            "flow_name": "text",
            "task_id": "text",
            "task_name": "text",
            "run": "int",
            "error_type": "text",
            "error_code": "text",
            "error_message": "text",
            "stack_trace": "text",
            "retry_strategy": "text",
            "retry_times": "int",
            "retry_max": "int",
            "retry_interval": "float",
            "retry_next_at": "time",
            "state": "text",
            "handled": "bool",
            "handled_by": "text",
            "handled_at": "time",
            "handled_remark": "text",
            "resolution": "text",
            "runbook": "text",
            "fingerprint": "text",
            "details": "json",
            "occurred_at": "time",
            "updated_at": "time",
        },
    )
}


def exception_id(task: FailedTask) -> str:
    """One record an instance, task and run."""
    return derived_id(task.instance_id, task.task_id, str(task.run))


class RetryPort:
    """Implements `execution.engine.port.FailurePort`."""

    tables = TABLES

    def on_failure(
        self, task: FailedTask, failure: Failure, policy: RetryPolicy, *, now: datetime, jitter: float
    ) -> FailureDecision:
        """Decide by the policy; the exception opens, or is updated while retries go on by rule."""
        decision = decide(
            policy,
            failure,
            retries=task.retries,
            first_failed_at=task.first_failed_at,
            now=now,
            jitter=jitter,
        )
        row = PortRow(table=EXCEPTION, key=exception_id(task), values=_record(task, failure, policy, decision, now=now))
        # A changed input began a new run: its record takes the place of those before it.
        return FailureDecision(retry_at=decision.at, rows=(*_resolved(task, range(1, task.run), now=now), row))

    def on_retry(self, task: FailedTask, *, now: datetime, by: str) -> Sequence[PortRow]:
        """A person's retry: the record is being worked on. `task` is as it failed, before a new run begins."""
        values = {"state": "retrying", "retry_next_at": now, "updated_at": now}
        return (PortRow(table=EXCEPTION, key=exception_id(task), values=values, only_update=True),)

    def on_success(self, task: FailedTask, *, now: datetime, by: str) -> Sequence[PortRow]:
        """Success, a skip or a mark closes the record; one run's success closes the runs before it."""
        return _resolved(task, range(1, task.run + 1), now=now)


def _resolved(task: FailedTask, runs: Iterable[int], *, now: datetime) -> tuple[PortRow, ...]:
    values = {"state": "resolved", "retry_next_at": None, "updated_at": now}
    return tuple(
        PortRow(
            table=EXCEPTION,
            key=derived_id(task.instance_id, task.task_id, str(run)),
            values=values,
            only_update=True,
        )
        for run in runs
    )


def _record(
    task: FailedTask, failure: Failure, policy: RetryPolicy, decision: RetryDecision, *, now: datetime
) -> dict[str, Any]:
    return {
        "instance_id": task.instance_id,
        "flow_id": task.flow_id,
        "flow_name": task.flow_name,
        "task_id": task.task_id,
        "task_name": task.task_name,
        "run": task.run,
        "error_type": failure.type[:64],
        "error_code": failure.code[:128],
        "error_message": str(failure.message)[:MESSAGE_LENGTH],
        "stack_trace": failure.stack,
        "retry_strategy": str(policy.strategy),
        "retry_times": task.retries + (decision.at is not None),
        "retry_max": policy.max_attempts if policy.strategy is not Strategy.NO_RETRY else 0,
        "retry_interval": policy.interval,
        "retry_next_at": decision.at,
        "state": "retrying" if decision.at is not None else "open",
        "handled": False,
        "handled_by": "",
        "handled_at": None,
        "handled_remark": "",
        "resolution": "",
        "runbook": task.runbook,
        "fingerprint": fingerprint(
            flow_id=task.flow_id, task_id=task.task_id, error_code=failure.code, message=str(failure.message)
        ),
        "details": {
            "attempt": task.attempt,
            "reason": decision.reason,
            "sort": str(failure.sort),
            "answer": failure.response,
        },
        "occurred_at": now,
        "updated_at": now,
    }
