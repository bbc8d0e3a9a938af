"""A flow made ready to run: what the parser makes of a definition, and the only form the engine knows.

`compile` happens once a version and process; these values are shared by all instances of the version and never
change. Expressions are objects of the port in `expressions.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal, Protocol

from disttask_project.kernel.json import JSON

Scope = Mapping[str, Any]  # the roots an expression sees: params, input, tasks, instance, task, result, error


class ExpressionError(Exception):
    """An expression that could not be evaluated: a missing path, a wrong type, a budget spent."""

    def __init__(self, message: str, *, code: str = "EXPRESSION") -> None:
        super().__init__(message)
        self.code = code


class Expression(Protocol):
    """A compiled condition or value."""

    source: str

    def evaluate(self, scope: Scope) -> JSON:
        """The value; raises `ExpressionError`."""


class Template(Protocol):
    """A JSON value in which strings may hold `${...}`."""

    source: JSON

    @property
    def is_constant(self) -> bool:
        """Whether rendering gives the same whatever the scope."""

    def render(self, scope: Scope) -> JSON:
        """The value with every expression put in; raises `ExpressionError`."""


class OnFailure(StrEnum):
    HOLD = "hold"
    COMPENSATE = "compensate"
    FAIL = "fail"


class Strategy(StrEnum):
    AUTO = "auto"
    MANUAL = "manual"
    NO_RETRY = "no_retry"


class Jitter(StrEnum):
    EQUAL = "equal"
    FULL = "full"
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """When to try again (flow-definition 5). `max_attempts` counts retries after the first try; times in seconds."""

    strategy: Strategy = Strategy.MANUAL
    max_attempts: int = 3
    interval: float = 5.0
    backoff_rate: float = 2.0
    max_interval: float = 3600.0
    jitter: Jitter = Jitter.EQUAL
    retry_on: tuple[str, ...] = ()
    no_retry_on: tuple[str, ...] = ()
    budget_seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class InputField:
    """One field of a catalog entry's input; `type` is one of `parameters.FIELD_TYPES`."""

    name: str
    type: str
    required: bool = False
    default: JSON = None
    has_default: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CompiledTask:
    id: str
    name: str  # the description, else the task_name
    task_name: str
    type: str  # the executor
    depends_on: tuple[str, ...] = ()
    join: Literal["all", "any"] | int = "all"
    config: Template
    input: Mapping[str, Template] = field(default_factory=dict)
    input_from: Mapping[str, Expression] = field(default_factory=dict)
    fields: tuple[InputField, ...] = ()
    output: Template | None = None  # None: the whole result
    when: Expression | None = None
    success_when: Expression | None = None
    unknown_when: Expression | None = None
    error_code: Expression | None = None
    error_message: Expression | None = None
    timeout_seconds: float = 30.0
    retry: RetryPolicy
    on_failure: OnFailure = OnFailure.HOLD
    optional: bool = False
    idempotency_key: Template | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CompiledFlow:
    """`tasks` is in topological order; `dependents` lists for each task those that name it, in the same order."""

    name: str
    tasks: Mapping[str, CompiledTask]
    dependents: Mapping[str, tuple[str, ...]]
    on_failure: OnFailure = OnFailure.HOLD
    timeout_seconds: float | None = None
    max_parallel: int | None = None
    tags: Mapping[str, Template] = field(default_factory=dict)
    output: Mapping[str, Template] | None = None
    input_schema: Mapping[str, Any] | None = None
