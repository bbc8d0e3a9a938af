"""The shape of a flow document: which keys there are and what they hold. Meaning is looked at in `checks`."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PlainValidator, StringConstraints, WithJsonSchema
from pydantic_core import PydanticCustomError

LANGUAGE_VERSION: Final = 1
MAX_TASKS: Final = 10_000
MAX_TAGS: Final = 16

OnFailureWord = Literal["hold", "compensate", "fail"]

# Keys that later versions of the language bring: refused by name, so that nobody believes they work.
LATER_FLOW_KEYS: Final = frozenset(("vars",))
LATER_TASK_KEYS: Final[frozenset[str]] = frozenset()
COMPOSITE_TYPES: Final = frozenset(("switch", "map", "subflow", "wait", "signal", "approval"))


def _join(value: object) -> object:
    if value in ("all", "any") or (isinstance(value, int) and not isinstance(value, bool) and value >= 1):
        return value
    raise PydanticCustomError("join", "join")


def _output(value: object) -> object:
    if isinstance(value, dict) or (isinstance(value, str) and value):
        return value
    raise PydanticCustomError("output", "output")


def _schema(value: object) -> object:
    if isinstance(value, dict | bool):
        return value
    raise PydanticCustomError("dict_type", "dict_type")


def _positive(value: float) -> float:
    if value <= 0:
        raise PydanticCustomError("not_positive", "not_positive")
    return value


def _address(value: str) -> str:
    """A link that people click: nothing but http and https, and nobody's password in it."""
    try:
        parts = urlsplit(value)
        sound = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.username is None
    except ValueError:
        sound = False
    if not sound or not value.isprintable() or " " in value:
        raise PydanticCustomError("address", "address")
    return value


_WORDS = StringConstraints(max_length=4096)
Text = Annotated[str, StringConstraints(max_length=65_536)]
TagName = Annotated[str, StringConstraints(min_length=1, max_length=64)]
Source = Annotated[str, StringConstraints(min_length=1, max_length=4096)]
Address = Annotated[str, StringConstraints(max_length=2048), AfterValidator(_address)]
Seconds = Annotated[float, Field(allow_inf_nan=False, le=31_536_000), AfterValidator(_positive)]
FlowName = Annotated[str, StringConstraints(min_length=1, max_length=255)]
TaskName = Annotated[str, StringConstraints(min_length=1, max_length=64)]
TaskId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,63}$")]
Join = Annotated[
    Any,
    PlainValidator(_join),
    WithJsonSchema({"anyOf": [{"enum": ["all", "any"]}, {"type": "integer", "minimum": 1}]}),
]
Output = Annotated[
    Any,
    PlainValidator(_output),
    WithJsonSchema({"anyOf": [{"type": "object"}, {"type": "string", "minLength": 1}]}),
]
JsonSchema = Annotated[Any, PlainValidator(_schema), WithJsonSchema({"type": ["object", "boolean"]})]
Codes = Annotated[list[Annotated[str, StringConstraints(min_length=1, max_length=128)]], Field(max_length=100)]


class _Shape(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class RetryShape(_Shape):
    """When to try again after a failure."""

    strategy: Literal["auto", "manual", "no_retry"] = "auto"
    max_attempts: Annotated[int, Field(ge=0, le=10_000)] | None = None
    interval: Annotated[float, Field(ge=0, le=31_536_000, allow_inf_nan=False)] | None = None
    backoff_rate: Annotated[float, Field(ge=1, le=1000, allow_inf_nan=False)] = 2.0
    max_interval: Annotated[float, Field(ge=0, le=31_536_000, allow_inf_nan=False)] = 3600.0
    jitter: Literal["equal", "full", "none"] = "equal"
    retry_on: Codes = Field(default_factory=list)
    no_retry_on: Codes = Field(default_factory=list)
    budget_seconds: Seconds | None = None


class CompensateShape(_Shape):
    """How the effect of a task is undone. Without an `input` the undo is given the task's own."""

    task_name: TaskName
    config: dict[str, Any] = Field(default_factory=dict)
    input: dict[str, Any] | None = None
    success_when: Source | None = None
    error_code: Source | None = None
    error_message: Source | None = None
    timeout_seconds: Seconds = 30.0
    retry: RetryShape | None = None


class CheckShape(_Shape):
    """How to find out whether a call took effect whose answer never came."""

    task_name: TaskName
    config: dict[str, Any] = Field(default_factory=dict)
    input: dict[str, Any] | None = None
    success_when: Source | None = None
    failed_when: Source | None = None
    timeout_seconds: Seconds = 30.0
    interval: Annotated[float, Field(ge=0, le=31_536_000, allow_inf_nan=False)] = 5.0
    max_attempts: Annotated[int, Field(ge=1, le=10_000)] = 5


class TaskShape(_Shape):
    """One step of a flow."""

    id: TaskId
    task_name: TaskName
    description: Text = ""
    runbook: Address | None = None
    depends_on: list[str] = Field(default_factory=list)
    join: Join = "all"
    config: dict[str, Any] = Field(default_factory=dict)
    input: dict[str, Any] = Field(default_factory=dict)
    input_from: dict[str, Source] = Field(default_factory=dict)
    output: Output | None = None
    when: Source | None = None
    success_when: Source | None = None
    unknown_when: Source | None = None
    error_code: Source | None = None
    error_message: Source | None = None
    timeout_seconds: Seconds = 30.0
    retry: RetryShape | None = None
    on_failure: OnFailureWord | None = None
    optional: bool = False
    idempotency_key: Source | None = None
    check: CheckShape | None = None
    on_unknown: Literal["check", "retry", "hold"] | None = None
    compensate: CompensateShape | None = None


class FailureFlowShape(_Shape):
    """What is started once when an instance has failed for good or was undone."""

    flow: FlowName
    params: dict[str, Any] = Field(default_factory=dict)


class FlowShape(_Shape):
    """A flow: tasks and what holds for all of them."""

    name: FlowName
    description: Text = ""
    runbook: Address | None = None
    schema_version: Annotated[int, Field(ge=1, le=LANGUAGE_VERSION)] = LANGUAGE_VERSION
    input_schema: JsonSchema | None = None
    tasks: Annotated[list[TaskShape], Field(min_length=1, max_length=MAX_TASKS)]
    on_failure: OnFailureWord = "hold"
    failure_flow: FailureFlowShape | None = None
    timeout_seconds: Seconds | None = None
    max_parallel: Annotated[int, Field(ge=1, le=100_000)] | None = None
    tags: Annotated[dict[TagName, Annotated[str, _WORDS]], Field(max_length=MAX_TAGS)] = Field(default_factory=dict)
    output: dict[str, Any] | None = None


def document_schema() -> dict[str, Any]:
    """JSON Schema of a flow document, for editors and `/schemas/flow`."""
    return FlowShape.model_json_schema()
