"""What the transaction endpoints take: bodies and filters, declared once."""

from __future__ import annotations

from typing import Final

from disttask_project.api.fields import Field, Spec
from disttask_project.api.listing import PAGING
from execution.domain.states import InstanceStatus

REASON: Final = Field(
    max_length=2000, default="", description="kept in the operations log", example="checked with the target"
)
REQUIRED_REASON: Final = Field(
    required=True,
    min_length=1,
    max_length=2000,
    description="kept in the operations log",
    example="agreed with finance",
)

START: Final[Spec] = {
    "instance_id": Field(min_length=1, max_length=64, description="your order number: the same id starts once"),
    "flow_id": Field(max_length=36),
    "flow_name": Field(max_length=255, example="demo-order"),
    "version": Field(kind="integer", minimum=1),
    "params": Field(kind="any", description="a JSON object", example={}),
    "tags": Field(kind="any", description="up to 16 strings"),
}
BULK: Final[Spec] = {
    "transactions": Field(
        kind="array",
        required=True,
        min_length=1,
        max_length=1_000,
        example=[{"flow_name": "demo-order", "params": {}}],
    ),
}
LIST: Final[Spec] = {
    "status": Field(many=True, choices=tuple(InstanceStatus), description="one or several, joined by commas"),
    "flow_id": Field(max_length=36),
    "flow_name": Field(max_length=255),
    "since": Field(kind="time", description="created at or after"),
    "until": Field(kind="time", description="created before"),
    "error_code": Field(max_length=128),
    "has_open_exception": Field(kind="boolean"),
    "needs_attention": Field(kind="boolean"),
    "closed": Field(kind="boolean"),
    "id": Field(max_length=64, description="how the instance ID begins"),
    "ids": Field(many=True, description="up to 500 instance IDs, joined by commas"),
    **PAGING,
}
DETAIL: Final[Spec] = {
    "wait": Field(kind="integer", default=0, minimum=0, maximum=60, description="seconds to wait for its end"),
}
LOGS: Final[Spec] = {
    "after": Field(kind="integer", default=0, minimum=0, description="only rows behind this `seq`"),
    "page_size": Field(kind="integer", default=200, minimum=1, maximum=1_000),
}
GRAPH: Final[Spec] = {"format": Field(choices=("svg", "mermaid", "json"), default="json")}
RETRY_INSTANCE: Final[Spec] = {
    "reason": REASON,
    "outcome": Field(choices=("not_applied",), description="you found out that an unknown attempt took no effect"),
}
ACT: Final[Spec] = {"reason": REASON}
ACT_WITH_REASON: Final[Spec] = {"reason": REQUIRED_REASON}
CANCEL: Final[Spec] = {
    "reason": REQUIRED_REASON,
    "force": Field(kind="boolean", default=False, description="give up calls in flight instead of waiting for them"),
}
RETRY_TASK: Final[Spec] = {
    **RETRY_INSTANCE,
    "input": Field(kind="object", description="input fields to change for the new run"),
    "config": Field(kind="object", description="config keys to change for the new run"),
}
RERUN: Final[Spec] = {
    "reason": REQUIRED_REASON,
    "input": Field(kind="object", description="input fields to change for the new run"),
    "config": Field(kind="object", description="config keys to change for the new run"),
}
COMPENSATE: Final[Spec] = {
    "reason": REQUIRED_REASON,
    "tasks": Field(kind="array", max_length=10_000, description="only these; without it all that can be undone"),
    "outside": Field(kind="array", max_length=10_000, description="these are undone already, by other hands"),
    "inputs": Field(kind="object", description="by task: fields of the undo's input to change", example={}),
}
MARK_SUCCESS: Final[Spec] = {
    "reason": REQUIRED_REASON,
    "output": Field(kind="any", description="what dependents read as this task's output", example={}),
}
TRY: Final[Spec] = {
    "config": Field(kind="object", description="laid over the entry's config, key by key"),
    "input": Field(kind="object", example={"order_id": "SO-1001"}),
    "timeout_seconds": Field(kind="number", default=30, description="at most 30"),
    "reason": REASON,
}
