"""The meaning of a document: names that must exist, an order that must exist, expressions that must hold."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any, Final

from disttask_project.kernel.messages import text
from flows.domain import jsonpath, schemas
from flows.domain.catalog import Catalog, CatalogEntry, merged_config
from flows.domain.document import CheckShape, CompensateShape, FlowShape, TaskShape
from flows.domain.expressionchecks import ExpressionChecks
from flows.domain.graph import Ancestors, find_cycle, topological_order
from flows.domain.problems import Loc, Problems

AnyShape = TaskShape | CheckShape | CompensateShape
MAX_SHOWN_IN_CYCLE: Final = 20
MAX_HINTS: Final = 50


class Checks:
    """One run over a document; `problems` keep it from being saved, `warnings` do not."""

    def __init__(
        self,
        shape: FlowShape,
        catalog: Catalog,
        problems: Problems,
        warnings: Problems,
        *,
        max_task_timeout: float | None = None,
    ) -> None:
        self.shape = shape
        self.catalog = catalog
        self.problems = problems
        self.warnings = warnings
        self.max_task_timeout = max_task_timeout
        self.positions: dict[str, int] = {}
        self._hints = MAX_HINTS

    def run(self) -> None:
        self._ids()
        edges = self._edges()
        order = topological_order(edges)
        ancestors = Ancestors(edges, order) if len(order) == len(edges) else None
        if ancestors is None:
            self._cycle(edges)
        expressions = ExpressionChecks(self.positions, ancestors, self.problems, self.warnings)
        for index, task in enumerate(self.shape.tasks):
            self._timeout(("tasks", index), task)
            entry = self._entry(("tasks", index), task)
            config = self._config(("tasks", index), task, entry)
            expressions.task(("tasks", index), task, config, entry)
            self._errands(("tasks", index), task, expressions)
        expressions.flow(self.shape)
        self._failure_flow()
        self._nothing_to_undo()
        if self.shape.input_schema is not None:
            schemas.check_schema(self.shape.input_schema, ("input_schema",), self.problems)
            self._unused_params(expressions)

    def _errands(self, loc: Loc, task: TaskShape, expressions: ExpressionChecks) -> None:
        for name in ("check", "compensate"):
            part: CheckShape | CompensateShape | None = getattr(task, name)
            if part is None:
                continue
            self._timeout((*loc, name), part)
            entry = self._entry((*loc, name), part)
            config = self._config((*loc, name), part, entry)
            expressions.errand((*loc, name), task.id, part, config, entry)
        if task.check is not None and task.check.success_when is None and task.check.failed_when is None:
            message = text("A check needs success_when or failed_when; without them its answer tells nothing.")
            self.problems.add((*loc, "check"), "required", message)
        if task.on_unknown == "check" and task.check is None:
            message = text("There is no check to make: add one, or say retry or hold.")
            self.problems.add((*loc, "on_unknown"), "no_check", message)

    def _nothing_to_undo(self) -> None:
        """A flow that compensates, or a task that does, while no task says how it is undone."""
        if any(task.compensate is not None for task in self.shape.tasks):
            return
        message = text("Nothing will be undone: no task says how (compensate).")
        if self.shape.on_failure == "compensate":
            self.warnings.add(("on_failure",), "nothing_to_undo", message)
        for index, task in enumerate(self.shape.tasks):
            if task.on_failure == "compensate":
                self.warnings.add(("tasks", index, "on_failure"), "nothing_to_undo", message)

    def _failure_flow(self) -> None:
        named = self.shape.failure_flow
        if named is not None and named.flow == self.shape.name:
            message = text("A flow cannot be its own failure flow: it would start itself again and again.")
            self.problems.add(("failure_flow", "flow"), "circular", message)

    def _ids(self) -> None:
        for index, task in enumerate(self.shape.tasks):
            first = self.positions.setdefault(task.id, index)
            if first != index:
                self.problems.add(
                    ("tasks", index, "id"),
                    "duplicate_id",
                    text("The id {id} is already that of task {number}.", id=task.id, number=first + 1),
                )

    def _edges(self) -> dict[str, list[str]]:
        """What each task waits for. Only what exists is in it, so that one wrong name hides no other fault."""
        edges: dict[str, list[str]] = {task_id: [] for task_id in self.positions}
        for index, task in enumerate(self.shape.tasks):
            needed = edges[task.id]
            for number, other in enumerate(task.depends_on):
                if other in self.positions:
                    needed.append(other)
                else:
                    self._unknown_dependency(("tasks", index, "depends_on", number), other)
            for key, path in task.input_from.items():
                other_task = self._path_task(("tasks", index, "input_from", key), path)
                if other_task is not None:
                    needed.append(other_task)
            edges[task.id] = list(dict.fromkeys(needed))
            self._join(("tasks", index, "join"), task, len(edges[task.id]))
        return edges

    def _unknown_dependency(self, loc: Loc, name: str) -> None:
        near = self._near(name, list(self.positions))
        if near:
            message = text("There is no task {name}; did you mean {near}?", name=name[:64], near=near)
        else:
            message = text("There is no task {name} in this flow.", name=name[:64])
        self.problems.add(loc, "unknown_dependency", message)

    def _near(self, name: str, names: list[str]) -> str:
        # Comparing with 10,000 names costs a second; a long list has too many near names to be of help anyway.
        self._hints -= 1
        if self._hints < 0 or len(names) > 500:
            return ""
        return next(iter(difflib.get_close_matches(name[:64], names, n=1)), "")

    def _path_task(self, loc: Loc, path: str) -> str | None:
        try:
            task = str(jsonpath.parse(path)[0])
        except jsonpath.PathFault as fault:
            self.problems.add(loc, fault.code, fault.message)
            return None
        if task in self.positions:
            return task
        self._unknown_dependency(loc, task)
        return None

    def _join(self, loc: Loc, task: TaskShape, count: int) -> None:
        if isinstance(task.join, int) and task.join > count:
            self.problems.add(
                loc,
                "join_too_large",
                text("{join} can never succeed: there are {count} dependencies.", join=task.join, count=count),
            )

    def _timeout(self, loc: Loc, task: AnyShape) -> None:
        if self.max_task_timeout is not None and task.timeout_seconds > self.max_task_timeout:
            self.problems.add(
                (*loc, "timeout_seconds"),
                "timeout_too_long",
                text("Must be at most {most} seconds ([engine] max_task_timeout).", most=self.max_task_timeout),
            )

    def _cycle(self, edges: Mapping[str, list[str]]) -> None:
        cycle = find_cycle(edges) or []
        shown = [*cycle, cycle[0]]
        if len(shown) > MAX_SHOWN_IN_CYCLE:
            shown = [*shown[: MAX_SHOWN_IN_CYCLE - 2], "...", *shown[-2:]]
        self.problems.add(
            ("tasks", self.positions[cycle[0]], "depends_on"),
            "cycle",
            text("The tasks wait for each other: {cycle}.", cycle=" -> ".join(shown)),
        )

    def _entry(self, loc: Loc, task: AnyShape) -> CatalogEntry | None:
        entry = self.catalog.find(task.task_name)
        if entry is None:
            near = self._near(task.task_name, self.catalog.names())
            if near:
                message = text("There is no task type {name}; did you mean {near}?", name=task.task_name, near=near)
            else:
                message = text("There is no task type {name} in the catalog.", name=task.task_name)
            self.problems.add((*loc, "task_name"), "unknown_task_name", message)
        elif self.catalog.types.get(entry.type) is None:
            self.problems.add(
                (*loc, "task_name"),
                "unknown_type",
                text("{name} is of the type {type}, which is not installed.", name=entry.name, type=entry.type),
            )
        return entry

    def _config(self, loc: Loc, task: AnyShape, entry: CatalogEntry | None) -> dict[str, Any]:
        if entry is None:
            return task.config
        config = merged_config(entry, task.config)
        task_type = self.catalog.types.get(entry.type)
        if task_type is None:
            return config
        for problem in task_type.config_problems(config):
            self.problems.take(problem, under=(*loc, "config"))
        if _is_retried(task) and not task_type.idempotent:
            self.warnings.add(
                (*loc, "retry"),
                "not_idempotent",
                text(
                    "It is retried by itself, but {type} cannot tell its target that a call is a repeat.",
                    type=entry.type,
                ),
            )
        return config

    def _unused_params(self, expressions: ExpressionChecks) -> None:
        schema = self.shape.input_schema
        properties = schema.get("properties") if isinstance(schema, dict) else None
        if not isinstance(properties, dict) or "" in expressions.params_read:
            return
        bound = {task.task_name for task in self.shape.tasks} | set(self.positions)
        for name in properties:
            if name not in bound and name not in expressions.params_read:
                self.warnings.add(
                    ("input_schema", "properties", name),
                    "unused_parameter",
                    text("No task reads the parameter {name}.", name=name[:64]),
                )


def _is_retried(task: AnyShape) -> bool:
    """Whether it is tried again by itself. A check asks and changes nothing; an undo is, unless it says otherwise."""
    if isinstance(task, CheckShape):
        return False
    if task.retry is None:
        return isinstance(task, CompensateShape)
    return task.retry.strategy == "auto"
