"""Instances and what hangs on them as plain data: every interface shows the same names and shapes.

They are promises to users (`design/interfaces.md`): add, never rename.
"""

from __future__ import annotations

from typing import Any

from disttask_project.i18n import translated
from disttask_project.kernel.times import rfc3339
from execution.failure_models import FailureStart
from execution.models import Attempt, ExecutionLog, Instance
from execution.selectors.compensation import CompensationPlan
from execution.selectors.diagnosis import Cause
from execution.selectors.targets import MOST_PARKED, TargetView
from execution.selectors.tasks import InstanceDetail, TaskView, tags_of
from execution.selectors.timeline import Segment
from execution.selectors.waiting import Waiting


def transaction(instance: Instance) -> dict[str, Any]:
    """One row of a list: all but the tasks."""
    return {
        "instance_id": instance.pk,
        "flow_id": instance.flow_id,
        "flow_name": instance.flow.name,
        "flow_version": instance.version.number,
        "status": instance.status,
        "needs_attention": instance.needs_attention,
        "closed": instance.closed,
        "params": instance.params,
        "output": instance.output,
        "tags": tags_of(instance),
        "error": instance.error,
        "create_user": instance.create_user,
        "created_at": rfc3339(instance.created_at),
        "updated_at": rfc3339(instance.updated_at),
        "started_at": rfc3339(instance.started_at),
        "completed_at": rfc3339(instance.completed_at),
    }


def transaction_detail(detail: InstanceDetail) -> dict[str, Any]:
    return {
        **transaction(detail.instance),
        "task_counts": dict(detail.counts),
        "tasks": [task(each) for each in detail.tasks],
        "failure_flow": _failure_flow(detail.links.start),
        "failure_of": detail.links.failure_of,
    }


def _failure_flow(start: FailureStart | None) -> dict[str, Any] | None:
    if start is None:
        return None
    return {
        "flow": start.flow_name,
        "instance_id": start.child_id,
        "state": start.state,
        "code": start.code,
        "message": start.message,
        "next_at": start.next_at if start.state == "due" else None,
    }


def task(view: TaskView) -> dict[str, Any]:
    return {
        "id": view.id,
        "task_id": view.task_id,
        "task_name": view.task_name,
        "name": view.name,
        "type": view.type,
        "status": view.status,
        "skip_reason": view.skip_reason,
        "config": view.config,
        "input_data": view.input_data,
        "output_data": view.output_data,
        "error_type": view.error_type,
        "error_code": view.error_code,
        "error_message": view.error_message,
        "error_stack": view.error_stack,
        "attempt": view.attempt,
        "run": view.run,
        "max_retry": view.max_retry,
        "depends_on": list(view.depends_on),
        "kind": view.kind,
        "of": view.of,
        "next_at": rfc3339(view.next_at),
        "started_at": rfc3339(view.started_at),
        "completed_at": rfc3339(view.completed_at),
    }


def compensation_plan(found: CompensationPlan) -> dict[str, Any]:
    return {
        "instance_id": found.instance_id,
        "status": found.status,
        "ready": found.is_ready,
        "why_not": translated(found.why_not),
        "undo": [
            {
                "task_id": undo.task_id,
                "undo_id": undo.undo_id,
                "name": undo.name,
                "task_name": undo.task_name,
                "type": undo.type,
                "step": undo.step,
                "config": undo.config,
                "input": undo.input,
                "input_problem": undo.input_problem,
                "outcome_unknown": undo.outcome_unknown,
                "status": undo.status,
            }
            for undo in found.undo
        ],
        "nothing_to_undo": [
            {"task_id": view.task_id, "name": view.name, "status": view.status} for view in found.nothing_to_undo
        ],
    }


def attempt(row: Attempt) -> dict[str, Any]:
    request = row.request if isinstance(row.request, dict) else {}
    return {
        "id": row.pk,
        "task_id": row.task_id,
        "number": row.number,
        "run": row.run,
        "status": row.status,
        "worker": row.worker,
        "idempotency_key": row.key,
        "config": request.get("config"),
        "input": request.get("input"),
        "response": row.response,
        "error_type": row.error_type,
        "error_code": row.error_code,
        "error_message": row.error_message,
        "error_stack": row.error_stack,
        "stale": row.stale,
        "started_at": rfc3339(row.started_at),
        "ended_at": rfc3339(row.ended_at),
        "duration_ms": row.duration_ms,
    }


def log(row: ExecutionLog) -> dict[str, Any]:
    return {
        "id": row.pk,
        "seq": row.seq,
        "task_id": row.task_id,
        "group_id": row.instance_id,
        "action": row.action,
        "message": row.message,
        "details": row.details,
        "created_at": rfc3339(row.created_at),
    }


def cause(found: Cause) -> dict[str, Any]:
    return {
        "task_id": found.task_id,
        "task_name": found.task_name,
        "name": found.name,
        "type": found.type,
        "attempt": found.attempt,
        "attempts_max": found.attempts_max,
        "error_type": found.error_type,
        "code": found.code,
        "message": found.message,
        "target": found.target,
        "response": found.response,
        "outcome_unknown": found.outcome_unknown,
        "exception_id": found.exception_id,
        "at": rfc3339(found.at),
        "mends": [
            {
                "act": mend.act,
                "task_id": mend.task_id,
                "permission": mend.permission,
                "needs_reason": mend.needs_reason,
                "hint": translated(mend.hint),
            }
            for mend in found.mends
        ],
    }


def waiting(reason: Waiting) -> dict[str, Any]:
    return {
        "code": reason.code,
        "message": translated(reason.message),
        "until": rfc3339(reason.until),
        "task_ids": list(reason.task_ids),
        "needs_person": reason.needs_person,
    }


def target(view: TargetView) -> dict[str, Any]:
    return {
        "id": view.id,
        "type": view.type,
        "address": view.address,
        "state": view.state,
        "since": rfc3339(view.since),
        "until": rfc3339(view.until),
        "forced": view.forced,
        "forced_by": view.forced_by,
        "reason": view.reason,
        "calls": view.figures.calls,
        "errors": view.figures.errors,
        "error_rate": round(view.figures.error_rate, 4),
        "p50_ms": view.figures.p50,
        "p95_ms": view.figures.p95,
        "parked": min(view.parked, MOST_PARKED),
        "parked_is_more": view.parked_is_more,
        "concurrency": view.concurrency,
        "rate": view.rate,
        "limits_from": view.limits_from,
        "last_call_at": rfc3339(view.seen_at),
    }


def segment(part: Segment) -> dict[str, Any]:
    return {
        "task_id": part.task_id,
        "kind": part.kind,
        "number": part.number,
        "run": part.run,
        "status": part.status,
        "error_code": part.error_code,
        "started_at": rfc3339(part.started_at),
        "ended_at": rfc3339(part.ended_at),
    }
