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


class OnUnknown(StrEnum):
    """What to do when nobody knows whether a call took effect (flow-definition 7)."""

    CHECK = "check"
    RETRY = "retry"
    HOLD = "hold"


class Kind(StrEnum):
    """What an attempt is for: the task itself, the undoing of it, or the question whether it took effect."""

    FORWARD = "forward"
    UNDO = "undo"
    CHECK = "check"


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

    @property
    def most_retries(self) -> int:
        """What is shown as the limit: none where the policy never tries again."""
        return 0 if self.strategy is Strategy.NO_RETRY else self.max_attempts


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
    """A task, or an errand of one: its undo (`deduct.undo`), its check (`deduct.check`).

    An errand is no node of the graph, but has attempts, retries and a row like any task; `of` names its task.
    """

    id: str
    kind: Kind = Kind.FORWARD
    of: str = ""
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
    failed_when: Expression | None = None  # of a check: the call had no effect
    inherits_input: bool = False  # an errand that says no input of its own is given its task's
    on_unknown: OnUnknown = OnUnknown.RETRY
    check: CompiledTask | None = None
    undo: CompiledTask | None = None
    runbook: str = ""  # its own, else the flow's


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureFlow:
    """The flow that is started once when an instance has failed for good or was undone."""

    flow: str
    params: Mapping[str, Template] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class CompiledFlow:
    """`tasks` is in topological order; `dependents` lists for each task those that name it, in the same order.

    `specs` holds the errands too: whatever has attempts is found in it.
    """

    name: str
    tasks: Mapping[str, CompiledTask]
    dependents: Mapping[str, tuple[str, ...]]
    on_failure: OnFailure = OnFailure.HOLD
    runbook: str = ""
    timeout_seconds: float | None = None
    max_parallel: int | None = None
    tags: Mapping[str, Template] = field(default_factory=dict)
    output: Mapping[str, Template] | None = None
    input_schema: Mapping[str, Any] | None = None
    failure_flow: FailureFlow | None = None
    specs: Mapping[str, CompiledTask] = field(init=False)

    def __post_init__(self) -> None:
        errands = [spec for task in self.tasks.values() for spec in (task.undo, task.check) if spec is not None]
        specs = {**self.tasks, **{spec.id: spec for spec in errands}} if errands else self.tasks
        object.__setattr__(self, "specs", specs)
