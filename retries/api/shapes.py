"""Shapes of the exception endpoints, for the schema."""

from __future__ import annotations

from typing import Final

from disttask_project.api.shapes import array_of, define

EXCEPTION: Final = define(
    "Exception",
    id="string",
    group_id="string",
    group_name="string",
    instance_id="string",
    flow_id="string",
    flow_name="string",
    task_id="string",
    task_name="string",
    error_type="string",
    error_code="string",
    error_message="string",
    stack_trace="string",
    retry_strategy="string",
    retry_times="integer",
    retry_max="integer",
    retry_interval="number",
    retry_next_at="time?",
    state="string",
    handled="boolean",
    handled_by="string",
    handled_at="time?",
    handled_remark="string",
    resolution="string",
    runbook="string",
    assignee="string",
    due_at="time?",
    fingerprint="string",
    details="any",
    occurred_at="time",
    updated_at="time",
)
COMMENT: Final = define("ExceptionComment", id="string", at="time", author="string", comment="string")
EXCEPTION_GROUP: Final = define(
    "ExceptionGroup",
    fingerprint="string",
    count="integer",
    instances="integer",
    first_at="time",
    last_at="time",
    flow_id="string",
    flow_name="string",
    task_id="string",
    task_name="string",
    error_code="string",
    sample=EXCEPTION,
)
GROUP_CASE: Final = define(
    "ExceptionGroupCase",
    fingerprint="string",
    state="string",
    by_state="object",
    assignees=array_of({"type": "string"}),
    due_at="time?",
    first_at="time",
    last_at="time",
    runbook="string",
    sample=EXCEPTION,
)
GROUP_OUTCOME: Final = define(
    "ExceptionGroupOutcome",
    done="integer",
    left="integer",
    refused=array_of(define("ExceptionRefusal", message="string", count="integer")),
)
