"""From the pinned form to the objects that the engine runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flows.domain.catalog import field_from_json
from flows.domain.compiled import (
    CompiledFlow,
    CompiledTask,
    Expression,
    FailureFlow,
    Jitter,
    Kind,
    OnFailure,
    OnUnknown,
    RetryPolicy,
    Strategy,
)
from flows.domain.errands import errand_id
from flows.domain.expressions import condition, expression
from flows.domain.graph import dependents_of
from flows.domain.jsonpath import compile_path
from flows.domain.templates import CompiledTemplate, template

_NOTHING = template({})


def compile_flow(pinned: Mapping[str, Any]) -> CompiledFlow:
    """The flow of what `pin_definition` made. Expressions are compiled at their first use."""
    tasks = {item["id"]: _task(item) for item in pinned["tasks"]}
    output = pinned.get("output")
    return CompiledFlow(
        name=pinned["name"],
        tasks=tasks,
        dependents=dependents_of({task_id: task.depends_on for task_id, task in tasks.items()}),
        on_failure=OnFailure(pinned["on_failure"]),
        timeout_seconds=pinned.get("timeout_seconds"),
        max_parallel=pinned.get("max_parallel"),
        tags=_templates(pinned.get("tags", {})),
        output=None if output is None else _templates(output),
        input_schema=pinned.get("input_schema"),
        failure_flow=_failure_flow(pinned.get("failure_flow")),
        runbook=pinned.get("runbook", ""),
    )


def _failure_flow(item: Mapping[str, Any] | None) -> FailureFlow | None:
    return None if item is None else FailureFlow(flow=item["flow"], params=_templates(item["params"]))


def _templates(values: Mapping[str, Any]) -> dict[str, CompiledTemplate]:
    return {name: template(value) for name, value in values.items()}


def _task(item: Mapping[str, Any]) -> CompiledTask:
    config = item.get("config")
    output = item.get("output")
    key = item.get("idempotency_key")
    return CompiledTask(
        id=item["id"],
        name=item["name"],
        task_name=item["task_name"],
        type=item["type"],
        depends_on=tuple(item.get("depends_on", ())),
        join=item.get("join", "all"),
        config=template(config, keeps_secrets=True) if config else _NOTHING,
        input=_templates(item.get("input", {})),
        input_from={name: compile_path(path) for name, path in item.get("input_from", {}).items()},
        fields=tuple(field_from_json(field) for field in item.get("fields", ())),
        output=None if output is None else template(output),
        when=_condition(item.get("when")),
        success_when=_condition(item.get("success_when")),
        unknown_when=_condition(item.get("unknown_when")),
        error_code=_expression(item.get("error_code")),
        error_message=_expression(item.get("error_message")),
        timeout_seconds=item["timeout_seconds"],
        retry=_retry(item["retry"]),
        on_failure=OnFailure(item["on_failure"]),
        optional=item.get("optional", False),
        idempotency_key=None if key is None else template(key),
        on_unknown=OnUnknown(item.get("on_unknown", OnUnknown.RETRY)),
        check=_errand(item, "check", Kind.CHECK),
        undo=_errand(item, "compensate", Kind.UNDO),
        runbook=item.get("runbook", ""),
    )


def _errand(task: Mapping[str, Any], name: str, kind: Kind) -> CompiledTask | None:
    item = task.get(name)
    if item is None:
        return None
    config = item.get("config")
    return CompiledTask(
        id=errand_id(task["id"], kind),
        kind=kind,
        of=task["id"],
        name=task["name"],
        task_name=item["task_name"],
        type=item["type"],
        config=template(config, keeps_secrets=True) if config else _NOTHING,
        input=_templates(item.get("input", {})),
        inherits_input="input" not in item,
        runbook=task.get("runbook", ""),
        fields=tuple(field_from_json(field) for field in item.get("fields", ())),
        success_when=_condition(item.get("success_when")),
        failed_when=_condition(item.get("failed_when")),
        error_code=_expression(item.get("error_code")),
        error_message=_expression(item.get("error_message")),
        timeout_seconds=item["timeout_seconds"],
        retry=_retry(item["retry"]),
    )


def _condition(source: str | None) -> Expression | None:
    return None if source is None else condition(source)


def _expression(source: str | None) -> Expression | None:
    return None if source is None else expression(source)


def _retry(item: Mapping[str, Any]) -> RetryPolicy:
    values = dict(item)
    values["strategy"] = Strategy(values["strategy"])
    if "jitter" in values:
        values["jitter"] = Jitter(values["jitter"])
    for name in ("retry_on", "no_retry_on"):
        values[name] = tuple(values.get(name, ()))
    return RetryPolicy(**values)
