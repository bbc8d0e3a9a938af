"""What the flow endpoints take."""

from __future__ import annotations

from typing import Any, Final

from disttask_project.api.fields import Field, Spec
from disttask_project.api.listing import PAGING

EXAMPLE: Final[dict[str, Any]] = {
    "name": "hello",
    "tasks": [
        {
            "id": "ping",
            "task_name": "http",
            "config": {"url": "https://target.example/ping"},
            "input": {"n": "${params.n}"},
        }
    ],
}
_DEFINITION: Final = Field(
    kind="any", required=True, description="the flow document, as an object or as JSON text", example=EXAMPLE
)
LIST: Final[Spec] = {
    "name": Field(max_length=255),
    "flow_type": Field(max_length=64),
    "is_active": Field(kind="boolean"),
    "search": Field(max_length=255, description="a part of the name"),
    **PAGING,
}
DRAFT: Final[Spec] = {"draft": Field(kind="boolean", default=False, description="keep it back instead of publishing")}
CREATE: Final[Spec] = {
    "name": Field(default="", max_length=255, description="the definition's own name where it is left out"),
    "description": Field(default="", max_length=65_536),
    "flow_type": Field(default="", max_length=64),
    "definition": _DEFINITION,
    "create_user": Field(default="", max_length=150, description="recorded as claimed; the actor is the token's user"),
    "note": Field(default="", max_length=10_000),
}
SAVE: Final[Spec] = {
    "definition": _DEFINITION,
    "description": Field(max_length=65_536),
    "flow_type": Field(max_length=64),
    "note": Field(default="", max_length=10_000, example="why it changed"),
    "expected_version": Field(kind="integer", minimum=0, description="409 if somebody saved another one since"),
}
REASON: Final[Spec] = {"reason": Field(default="", max_length=2000, example="tested on the staging system")}
DIFF: Final[Spec] = {
    "from": Field(kind="integer", required=True, minimum=1),
    "to": Field(kind="integer", required=True, minimum=1),
}
GRAPH: Final[Spec] = {
    "format": Field(choices=("svg", "mermaid", "json"), default="json"),
    "version": Field(kind="integer", minimum=1, description="the current one where it is left out"),
}
TASK_DEFINITION: Final[Spec] = {
    "name": Field(required=True, min_length=1, max_length=64, example="charge_card"),
    "type": Field(required=True, min_length=1, max_length=64, example="http"),
    "description": Field(default="", max_length=65_536),
    "config": Field(kind="object", example={"url": "https://target.example/charge"}),
    "input_fields": Field(kind="array", example=[{"name": "amount", "type": "int", "required": True}]),
    "example": Field(kind="object", description="an input to try it with", example={"amount": 12900}),
}
DESCRIPTOR_SET: Final[Spec] = {
    "name": Field(default="", max_length=255, description="the first service's where it is left out"),
    "content": Field(
        required=True,
        min_length=1,
        description="a FileDescriptorSet in base64, as protoc --include_imports --descriptor_set_out writes it",
        example="CpYBCg1wYXltZW50LnByb3Rv",
    ),
}
TASK_DEFINITION_CHANGE: Final[Spec] = {key: field for key, field in TASK_DEFINITION.items() if key != "name"}
IMPORT: Final[Spec] = {
    "dry_run": Field(kind="boolean", default=False, description="only tell what the import would change"),
}
CATALOG_EXAMPLE: Final = {
    "task_definitions": [
        {"name": "charge_card", "type": "http", "config": {"url": "https://target.example/charge"}, "input_fields": []}
    ]
}
