"""Flows as REST shows them."""

from __future__ import annotations

from typing import Any

from disttask_project.i18n import translated
from disttask_project.kernel.errors import Problem
from disttask_project.kernel.times import rfc3339
from flows.domain.definition import Report
from flows.domain.diffing import Diff
from flows.models import Flow, FlowVersion, TaskDefinition


def flow_row(flow: Flow) -> dict[str, Any]:
    """A row of the list: all but the definition."""
    return {
        "id": flow.pk,
        "name": flow.name,
        "description": flow.description,
        "flow_type": flow.flow_type,
        "version": flow.current.number if flow.current else None,
        "latest_version": flow.latest_number,
        "is_active": flow.is_active,
        "created_at": rfc3339(flow.created_at),
        "updated_at": rfc3339(flow.updated_at),
        "create_user": flow.create_user,
        "updated_user": flow.updated_user,
    }


def flow(found: Flow) -> dict[str, Any]:
    return {**flow_row(found), "definition": found.current.definition if found.current else None}


def version_row(version: FlowVersion) -> dict[str, Any]:
    return {
        "flow_id": version.flow_id,
        "version": version.number,
        "state": version.state,
        "note": version.note,
        "created_at": rfc3339(version.created_at),
        "create_user": version.create_user,
        "published_at": rfc3339(version.published_at),
        "published_user": version.published_user,
    }


def version(found: FlowVersion) -> dict[str, Any]:
    return {**version_row(found), "definition": found.definition}


def diff(found: Diff) -> dict[str, Any]:
    return {
        "text": found.text,
        "added": list(found.added),
        "removed": list(found.removed),
        "changed": list(found.changed),
        "flow_keys": list(found.flow_keys),
        "is_empty": found.is_empty,
    }


def report(found: Report) -> dict[str, Any]:
    return {
        "valid": found.is_valid,
        "problems": [problem(each) for each in found.problems],
        "warnings": [problem(each) for each in found.warnings],
    }


def problem(found: Problem) -> dict[str, Any]:
    return {"loc": list(found.loc), "code": found.code, "message": translated(found.message)}


def task_definition(row: TaskDefinition) -> dict[str, Any]:
    return {
        "name": row.name,
        "type": row.type,
        "description": row.description,
        "config": row.config,
        "input_fields": row.input_fields,
        "example": row.example,
        "is_code": row.is_code,
        "created_at": rfc3339(row.created_at),
        "updated_at": rfc3339(row.updated_at),
        "updated_user": row.updated_user,
    }


def entry_use(flow: Flow) -> dict[str, Any]:
    return {"flow_id": flow.pk, "flow_name": flow.name, "version": flow.current.number if flow.current else None}
