"""The pinned form of a valid document: all that running it needs, as JSON."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from disttask_project.kernel.json import JSON
from flows.domain import jsonpath
from flows.domain.catalog import Catalog, CatalogEntry, field_as_json, merged_config
from flows.domain.document import CheckShape, CompensateShape, FlowShape, RetryShape, TaskShape
from flows.domain.graph import topological_order

PINNED_FORM: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryDefaults:
    """`[retry] default_max_attempts` and `default_interval`, pinned into each version as it is saved."""

    max_attempts: int = 3
    interval: float = 5.0


def pin(shape: FlowShape, catalog: Catalog, defaults: RetryDefaults) -> dict[str, JSON]:
    """`shape` must have passed its checks."""
    by_id = {task.id: task for task in shape.tasks}
    edges = {task.id: _dependencies(task) for task in shape.tasks}
    tasks = [_task(by_id[task_id], edges[task_id], shape, catalog, defaults) for task_id in topological_order(edges)]
    pinned: dict[str, JSON] = {
        "form": PINNED_FORM,
        "name": shape.name,
        "on_failure": shape.on_failure,
        "failure_flow": None if shape.failure_flow is None else shape.failure_flow.model_dump(),
        "timeout_seconds": shape.timeout_seconds,
        "max_parallel": shape.max_parallel,
        "tags": shape.tags,
        "output": shape.output,
        "input_schema": shape.input_schema,
        "runbook": shape.runbook,
    }
    pinned = {key: value for key, value in pinned.items() if value is not None and value != {}}
    if shape.output == {}:
        pinned["output"] = {}
    return {**pinned, "tasks": tasks}


def _dependencies(task: TaskShape) -> list[str]:
    """What `depends_on` says, then what `input_from` reads."""
    read = (str(jsonpath.parse(path)[0]) for path in task.input_from.values())
    return list(dict.fromkeys((*task.depends_on, *read)))


def _task(
    task: TaskShape, depends_on: list[str], shape: FlowShape, catalog: Catalog, defaults: RetryDefaults
) -> dict[str, JSON]:
    entry = catalog.find(task.task_name) or CatalogEntry(name=task.task_name, type=task.task_name)
    on_failure = task.on_failure or shape.on_failure
    pinned: dict[str, Any] = {
        "id": task.id,
        "name": task.description or task.task_name,
        "task_name": task.task_name,
        "type": entry.type,
        "depends_on": depends_on,
        "join": task.join,
        "config": merged_config(entry, task.config),
        "input": task.input,
        "input_from": task.input_from,
        "fields": [field_as_json(item) for item in entry.input_fields],
        "output": {task.output: "${result}"} if isinstance(task.output, str) else task.output,
        "timeout_seconds": task.timeout_seconds,
        "retry": _retry(task.retry, on_failure, defaults),
        "on_failure": on_failure,
    }
    for name in ("when", "success_when", "unknown_when", "error_code", "error_message", "idempotency_key"):
        pinned[name] = getattr(task, name)
    pinned["runbook"] = task.runbook or shape.runbook
    if task.optional:
        pinned["optional"] = True
    if task.check is not None:
        retry = {
            "strategy": "auto",
            "max_attempts": task.check.max_attempts,
            "interval": task.check.interval,
            "backoff_rate": 1.0,
            "max_interval": task.check.interval,
            "jitter": "none",
        }
        pinned["check"] = _errand(task.check, catalog, retry)
    if task.compensate is not None:
        pinned["compensate"] = _errand(task.compensate, catalog, _undo_retry(task.compensate.retry, defaults))
    default = "check" if task.check is not None else "retry"
    if (task.on_unknown or default) != "retry":
        pinned["on_unknown"] = task.on_unknown or default
    return {key: value for key, value in pinned.items() if key == "output" or value not in ({}, [], None)} | (
        {} if pinned["output"] is not None else {"output": None}
    )


def _errand(part: CompensateShape | CheckShape, catalog: Catalog, retry: dict[str, JSON]) -> dict[str, JSON]:
    """What undoing or checking a task takes. Without an `input` it is given the task's own."""
    entry = catalog.find(part.task_name) or CatalogEntry(name=part.task_name, type=part.task_name)
    pinned: dict[str, Any] = {
        "task_name": part.task_name,
        "type": entry.type,
        "config": merged_config(entry, part.config),
        "fields": [field_as_json(item) for item in entry.input_fields],
        "timeout_seconds": part.timeout_seconds,
        "retry": retry,
        "success_when": part.success_when,
    }
    for name in ("failed_when", "error_code", "error_message"):
        pinned[name] = getattr(part, name, None)
    kept = {key: value for key, value in pinned.items() if value not in ({}, [], None)}
    return kept if part.input is None else {**kept, "input": part.input}


def _undo_retry(retry: RetryShape | None, defaults: RetryDefaults) -> dict[str, JSON]:
    """An undo is tried again by itself unless its author says otherwise: half an undone order helps nobody."""
    if retry is not None:
        return _retry(retry, "hold", defaults)
    return {"strategy": "auto", "max_attempts": defaults.max_attempts, "interval": defaults.interval}


def _retry(retry: RetryShape | None, on_failure: str, defaults: RetryDefaults) -> dict[str, JSON]:
    if retry is None:
        strategy = "manual" if on_failure == "hold" else "no_retry"
        return {"strategy": strategy, "max_attempts": defaults.max_attempts, "interval": defaults.interval}
    pinned: dict[str, JSON] = {
        "strategy": retry.strategy,
        "max_attempts": defaults.max_attempts if retry.max_attempts is None else retry.max_attempts,
        "interval": defaults.interval if retry.interval is None else retry.interval,
        "backoff_rate": retry.backoff_rate,
        "max_interval": retry.max_interval,
        "jitter": retry.jitter,
        "retry_on": retry.retry_on,
        "no_retry_on": retry.no_retry_on,
        "budget_seconds": retry.budget_seconds,
    }
    return {key: value for key, value in pinned.items() if value is not None and value != []}
