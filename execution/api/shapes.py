"""Shapes of the transaction endpoints, for the schema."""

from __future__ import annotations

from typing import Any, Final

from disttask_project.api.shapes import PROBLEM, array_of, define

_TRANSACTION: Final[dict[str, Any]] = {
    "instance_id": "string",
    "flow_id": "string",
    "flow_name": "string",
    "flow_version": "integer",
    "status": "string",
    "needs_attention": "boolean",
    "closed": "boolean",
    "params": "object",
    "output": "any",
    "tags": "strings",
    "error": "object?",
    "create_user": "string",
    "created_at": "time",
    "updated_at": "time",
    "started_at": "time?",
    "completed_at": "time?",
}
TRANSACTION: Final = define("Transaction", **_TRANSACTION)
TASK: Final = define(
    "Task",
    id="string",
    task_id="string",
    task_name="string",
    name="string",
    type="string",
    status="string",
    skip_reason="string",
    config="object?",
    input_data="any",
    output_data="any",
    error_type="string",
    error_code="string",
    error_message="string",
    error_stack="string",
    attempt="integer",
    run="integer",
    max_retry="integer",
    depends_on="names",
    kind="string",
    of="string",
    next_at="time?",
    started_at="time?",
    completed_at="time?",
)
FAILURE_FLOW: Final = define(
    "FailureFlow",
    flow="string",
    instance_id="string",
    state="string",
    code="string",
    message="string",
    next_at="time?",
)
TRANSACTION_DETAIL: Final = define(
    "TransactionDetail",
    **_TRANSACTION,
    task_counts="counts",
    tasks=array_of(TASK),
    failure_flow={"anyOf": [FAILURE_FLOW, {"type": "null"}]},
    failure_of="string",
)
ATTEMPT: Final = define(
    "Attempt",
    id="string",
    task_id="string",
    number="integer",
    run="integer",
    status="string",
    worker="string",
    idempotency_key="string",
    config="object?",
    input="any",
    response="any",
    error_type="string",
    error_code="string",
    error_message="string",
    error_stack="string",
    stale="any",
    started_at="time",
    ended_at="time?",
    duration_ms="number?",
)
LOG_ROW: Final = define(
    "LogRow",
    id="string",
    seq="integer",
    task_id="string",
    group_id="string",
    action="string",
    message="string",
    details="any",
    created_at="time",
)
STARTED: Final = define(
    "Started",
    instance_id="string",
    flow_id="string",
    flow_name="string",
    flow_version="integer",
    status="string",
    created="boolean",
)
BULK_ITEM: Final = define(
    "BulkItem",
    code="integer",
    message="string",
    data=STARTED,
    error="string",
    errors=array_of(PROBLEM),
    retry_after="number",
)
TARGET: Final = define(
    "Target",
    id="string",
    type="string",
    address="string",
    state="string",
    since="time?",
    until="time?",
    forced="string",
    forced_by="string",
    reason="string",
    calls="integer",
    errors="integer",
    error_rate="number",
    p50_ms="number?",
    p95_ms="number?",
    parked="integer",
    parked_is_more="boolean",
    concurrency="integer",
    rate="number",
    limits_from="string",
    last_call_at="time",
)
ACT: Final = define(
    "Act",
    instance_id="string",
    task_id="string",
    act="string",
    state="string",
    status="string",
    action_id="string",
)
SEGMENT: Final = define(
    "Segment",
    task_id="string",
    kind="string",
    number="integer",
    run="integer",
    status="string",
    error_code="string",
    started_at="time",
    ended_at="time?",
)
MEND: Final = define("Mend", act="string", task_id="string", permission="string", needs_reason="boolean", hint="string")
CAUSE: Final = define(
    "Cause",
    task_id="string",
    task_name="string",
    name="string",
    type="string",
    attempt="integer",
    attempts_max="integer",
    error_type="string",
    code="string",
    message="string",
    target="string",
    response="any",
    outcome_unknown="boolean",
    exception_id="string",
    at="time?",
    mends=array_of(MEND),
)
WAITING: Final = define(
    "Waiting", code="string", message="string", until="time?", task_ids="names", needs_person="boolean"
)
DIAGNOSIS: Final = define(
    "Diagnosis",
    instance_id="string",
    status="string",
    needs_attention="boolean",
    cause={"anyOf": [CAUSE, {"type": "null"}]},
    waiting={"anyOf": [WAITING, {"type": "null"}]},
)
UNDO: Final = define(
    "Undo",
    task_id="string",
    undo_id="string",
    name="string",
    task_name="string",
    type="string",
    step="integer",
    config="object?",
    input="any",
    input_problem="string",
    outcome_unknown="boolean",
    status="string",
)
NOTHING_TO_UNDO: Final = define("NothingToUndo", task_id="string", name="string", status="string")
COMPENSATION_PLAN: Final = define(
    "CompensationPlan",
    instance_id="string",
    status="string",
    ready="boolean",
    why_not="string",
    undo=array_of(UNDO),
    nothing_to_undo=array_of(NOTHING_TO_UNDO),
)
TASK_TYPE: Final = define(
    "TaskType",
    name="string",
    description="string",
    idempotent="boolean",
    config_schema="object",
)
OVERVIEW: Final = define(
    "Overview",
    open_by_status="counts",
    last_day="counts",
    needs_attention="integer",
    drivers="integer",
    calls_in_flight="integer",
    start_lag_seconds="number",
    count_limit="integer",
)
FLOW_FIGURES: Final = define("FlowFigures", flow_id="string", last_day="counts")
TRIED: Final = define(
    "Tried",
    key="string",
    task_name="string",
    type="string",
    config="object",
    input="object",
    status="string",
    result="any",
    error_type="string",
    error_code="string",
    error_message="string",
    duration_ms="number",
)
