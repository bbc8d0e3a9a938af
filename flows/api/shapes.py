"""Shapes of the flow endpoints, for the schema."""

from __future__ import annotations

from typing import Any, Final

from disttask_project.api.shapes import PROBLEM, array_of, define

_FLOW: Final[dict[str, Any]] = {
    "id": "string",
    "name": "string",
    "description": "string",
    "flow_type": "string",
    "version": "integer?",
    "latest_version": "integer",
    "is_active": "boolean",
    "created_at": "time",
    "updated_at": "time",
    "create_user": "string",
    "updated_user": "string",
}
FLOW_ROW: Final = define("FlowRow", **_FLOW)
FLOW: Final = define("Flow", **_FLOW, definition="object?")
_VERSION: Final[dict[str, Any]] = {
    "flow_id": "string",
    "version": "integer",
    "state": "string",
    "note": "string",
    "created_at": "time",
    "create_user": "string",
    "published_at": "time?",
    "published_user": "string",
}
VERSION_ROW: Final = define("FlowVersionRow", **_VERSION)
VERSION: Final = define("FlowVersion", **_VERSION, definition="object")
DIFF: Final = define(
    "FlowDiff",
    text="string",
    added="names",
    removed="names",
    changed="names",
    flow_keys="names",
    is_empty="boolean",
)
REPORT: Final = define("Report", valid="boolean", problems=array_of(PROBLEM), warnings=array_of(PROBLEM))
DELETED: Final = define("Deleted", id="string", deleted="boolean")
TASK_DEFINITION: Final = define(
    "TaskDefinition",
    name="string",
    type="string",
    description="string",
    config="object",
    input_fields="array",
    example="object?",
    is_code="boolean",
    created_at="time",
    updated_at="time",
    updated_user="string",
)
_DESCRIPTOR_SET: Final[dict[str, Any]] = {
    "hash": "string",
    "name": "string",
    "size": "integer",
    "services": "array",
    "put_at": "time",
    "put_user": "string",
}
DESCRIPTOR_SET_ROW: Final = define("DescriptorSetRow", **_DESCRIPTOR_SET)
DESCRIPTOR_SET: Final = define("DescriptorSet", **_DESCRIPTOR_SET, used_by="array")
SCHEMA: Final = define("FlowSchema")
ENTRY_USE: Final = define("EntryUse", flow_id="string", flow_name="string", version="integer")
CATALOG: Final = define("Catalog", task_definitions="array")
IMPORTED_ENTRY: Final = define("ImportedEntry", name="string", outcome="string", used_by="names")
IMPORTED: Final = define("ImportedCatalog", dry_run="boolean", entries=array_of(IMPORTED_ENTRY))
