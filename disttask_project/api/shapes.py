"""The shapes of answers, for the schema: each app defines its own in `api/shapes.py`, by name and once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

COMPONENTS: Final[dict[str, dict[str, Any]]] = {}

_TYPES: Final[Mapping[str, dict[str, Any]]] = {
    "string": {"type": "string"},
    "integer": {"type": "integer"},
    "number": {"type": "number"},
    "boolean": {"type": "boolean"},
    "object": {"type": "object", "additionalProperties": True},
    "strings": {"type": "object", "additionalProperties": {"type": "string"}},
    "counts": {"type": "object", "additionalProperties": {"type": "integer"}},
    "array": {"type": "array", "items": {}},
    "names": {"type": "array", "items": {"type": "string"}},
    "time": {"type": "string", "format": "date-time"},
    "any": {},
}


def define(component: str, /, **keys: str | dict[str, Any]) -> dict[str, Any]:
    """A component: each key with its type's word (`?` behind it: may be null) or a schema. Returns its reference."""
    COMPONENTS[component] = {"type": "object", "properties": {key: _schema(kind) for key, kind in keys.items()}}
    return {"$ref": f"#/components/schemas/{component}"}


def array_of(shape: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": dict(shape)}


def list_of(shape: Mapping[str, Any]) -> dict[str, Any]:
    """`data` of a list."""
    return {
        "type": "object",
        "properties": {"list": array_of(shape), "pagination": PAGINATION},
        "required": ["list", "pagination"],
    }


def enveloped(data: Mapping[str, Any]) -> dict[str, Any]:
    """A success as it leaves."""
    return {
        "type": "object",
        "properties": {
            "code": {"type": "integer", "enum": [0]},
            "message": {"type": "string"},
            "data": dict(data),
            "request_id": {"type": "string"},
        },
        "required": ["code", "message", "data", "request_id"],
    }


def _schema(kind: str | dict[str, Any]) -> dict[str, Any]:
    if isinstance(kind, dict):
        return kind
    schema = dict(_TYPES[kind.removesuffix("?")])
    if kind.endswith("?") and "type" in schema:
        schema["type"] = [schema["type"], "null"]
    return schema


PAGINATION: Final = define("Pagination", page="integer", page_size="integer", total="integer?", next="string?")
PROBLEM: Final = define("Problem", loc="array", code="string", message="string")
ERROR: Final = define(
    "Error",
    code="integer",
    message="string",
    data="any",
    error="string",
    errors=array_of(PROBLEM),
    request_id="string",
)
COMPONENTS["Error"]["required"] = ["code", "message", "error", "errors", "request_id"]
NOTHING: Final = define("Nothing")
