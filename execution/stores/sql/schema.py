"""Tables and columns as the statements need them, derived from the models in this one place."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from django.db import models

from disttask_project.fields import JSONTextField
from execution.engine.port import RowSpec
from execution.failure_models import FailureStart
from execution.models import Attempt, EngineSession, ExecutionLog, Instance, InstanceTag, OperatorAction, Task
from execution.target_models import Parked, Target, TargetShare
from flows.models import Flow, FlowVersion


@dataclass(frozen=True)
class Table:
    """A table's name, key column and columns with their kinds (`text int float bool time json`)."""

    name: str
    key: str
    kinds: Mapping[str, str]

    @cached_property
    def columns(self) -> tuple[str, ...]:
        return tuple(self.kinds)


def kind_of(field: models.Field[Any, Any]) -> str:
    """The kind of a model's column. A foreign key is of its target's kind; all our keys are text."""
    kinds: Sequence[tuple[type[models.Field[Any, Any]], str]] = (
        (JSONTextField, "json"),
        (models.DateTimeField, "time"),
        (models.BooleanField, "bool"),
        (models.FloatField, "float"),
        (models.IntegerField, "int"),
    )
    return next((kind for type_, kind in kinds if isinstance(field, type_)), "text")


def table_of(model: type[models.Model]) -> Table:
    meta = model._meta
    kinds = {str(field.column): kind_of(field) for field in meta.concrete_fields}
    return Table(name=meta.db_table, key=str(meta.pk.column), kinds=kinds)


def table_of_spec(spec: RowSpec) -> Table:
    """A table that the failure port declares."""
    return Table(name=spec.table, key=spec.key, kinds={spec.key: "text", **spec.columns})


INSTANCE: Final = table_of(Instance)
TAG: Final = table_of(InstanceTag)
TASK: Final = table_of(Task)
ATTEMPT: Final = table_of(Attempt)
LOG: Final = table_of(ExecutionLog)
ACTION: Final = table_of(OperatorAction)
SESSION: Final = table_of(EngineSession)
FLOW: Final = table_of(Flow)
VERSION: Final = table_of(FlowVersion)
TARGET: Final = table_of(Target)
SHARE: Final = table_of(TargetShare)
PARKED: Final = table_of(Parked)
FAILURE_START: Final = table_of(FailureStart)

# Set when an attempt ends; everything else is set when it begins.
ATTEMPT_END: Final = (
    "status",
    "response",
    "error_type",
    "error_code",
    "error_message",
    "error_stack",
    "ended_at",
    "duration_ms",
)


def chunks(rows: Sequence[Any], size: int) -> Iterable[Sequence[Any]]:
    """The rows in pieces of at most `size`."""
    for start in range(0, len(rows), size):
        yield rows[start : start + size]
