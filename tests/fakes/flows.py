"""Compiled flows built by hand, and their rows: what engine tests drive without the language in between."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from disttask_project.kernel.ids import new_id
from disttask_project.kernel.json import JSON
from flows.domain.compiled import CompiledFlow, CompiledTask, RetryPolicy, Scope


@dataclass(slots=True)
class Constant:
    """A template without expressions."""

    source: JSON
    is_constant: bool = True

    def render(self, _scope: Scope) -> JSON:
        return self.source


def task(id_: str, *depends_on: str, type_: str = "noop", **fields: Any) -> CompiledTask:
    fields.setdefault("retry", RetryPolicy())
    config = Constant(fields.pop("config", {}))
    given = {name: Constant(value) for name, value in fields.pop("input", {}).items()}
    return CompiledTask(
        id=id_, name=id_, task_name=type_, type=type_, depends_on=depends_on, config=config, input=given, **fields
    )


def flow(name: str, *tasks: CompiledTask, **fields: Any) -> CompiledFlow:
    """`tasks` in topological order."""
    dependents: dict[str, tuple[str, ...]] = {each.id: () for each in tasks}
    for each in tasks:
        for dependency in each.depends_on:
            dependents[dependency] += (each.id,)
    return CompiledFlow(name=name, tasks={each.id: each for each in tasks}, dependents=dependents, **fields)


@dataclass
class FlowShelf:
    """Stores flows' rows and gives their compiled form back by version id (`SqlStore(compiled=shelf.compiled)`)."""

    flows: dict[str, CompiledFlow] = field(default_factory=dict)

    def put(self, compiled: CompiledFlow) -> tuple[str, str]:
        """(flow id, version id)."""
        from flows.models import Flow, FlowVersion

        now = datetime.now(UTC)
        stored = Flow.objects.create(
            name=compiled.name, live_name=compiled.name, created_at=now, updated_at=now, latest_number=1
        )
        version = FlowVersion.objects.create(
            id=new_id(), flow=stored, number=1, definition={}, compiled={}, created_at=now
        )
        self.flows[version.id] = compiled
        return stored.id, version.id

    def compiled(self, version_id: str) -> CompiledFlow:
        return self.flows[version_id]


def rows(count: int, ids: tuple[str, str], *, prefix: str, params: Mapping[str, Any] | None = None) -> list[Any]:
    """New instances of one flow."""
    from execution.stores.base import NewInstance

    flow_id, version_id = ids
    return [
        NewInstance(id=f"{prefix}{number:06}", flow_id=flow_id, version_id=version_id, params=params or {}, digest="d")
        for number in range(count)
    ]
