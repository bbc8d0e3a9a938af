"""Exceptions as plain data: every interface shows the same names and shapes (`design/interfaces.md`)."""

from __future__ import annotations

from typing import Any

from disttask_project.kernel.times import rfc3339
from retries.models import ExceptionComment, ExceptionRecord
from retries.selectors.records import FaultGroup, GroupCase


def exception(row: ExceptionRecord) -> dict[str, Any]:
    """`group` is the seed's word for the instance and its flow."""
    return {
        "id": row.pk,
        "group_id": row.instance_id,
        "group_name": row.flow_name,
        "instance_id": row.instance_id,
        "flow_id": row.flow_id,
        "flow_name": row.flow_name,
        "task_id": row.task_id,
        "task_name": row.task_name,
        "error_type": row.error_type,
        "error_code": row.error_code,
        "error_message": row.error_message,
        "stack_trace": row.stack_trace,
        "retry_strategy": row.retry_strategy,
        "retry_times": row.retry_times,
        "retry_max": row.retry_max,
        "retry_interval": row.retry_interval,
        "retry_next_at": rfc3339(row.retry_next_at),
        "state": row.state,
        "handled": row.handled,
        "handled_by": row.handled_by,
        "handled_at": rfc3339(row.handled_at),
        "handled_remark": row.handled_remark,
        "resolution": row.resolution,
        "runbook": row.runbook,
        "assignee": row.assignee,
        "due_at": rfc3339(row.due_at),
        "fingerprint": row.fingerprint,
        "details": row.details,
        "occurred_at": rfc3339(row.occurred_at),
        "updated_at": rfc3339(row.updated_at),
    }


def comment(row: ExceptionComment) -> dict[str, Any]:
    return {"id": row.pk, "at": rfc3339(row.at), "author": row.author, "comment": row.text}


def group_case(found: GroupCase) -> dict[str, Any]:
    return {
        "fingerprint": found.fingerprint,
        "state": found.state,
        "by_state": dict(found.by_state),
        "assignees": list(found.assignees),
        "due_at": rfc3339(found.due_at),
        "first_at": rfc3339(found.first_at),
        "last_at": rfc3339(found.last_at),
        "runbook": found.sample.runbook,
        "sample": exception(found.sample),
    }


def group(found: FaultGroup) -> dict[str, Any]:
    return {
        "fingerprint": found.fingerprint,
        "count": found.count,
        "instances": found.instances,
        "first_at": rfc3339(found.first_at),
        "last_at": rfc3339(found.last_at),
        "flow_id": found.sample.flow_id,
        "flow_name": found.sample.flow_name,
        "task_id": found.sample.task_id,
        "task_name": found.sample.task_name,
        "error_code": found.sample.error_code,
        "sample": exception(found.sample),
    }
