"""The tasks of an instance as a reader sees them: rows over what the definition says, pending ones included."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from disttask_project.kernel.errors import DisttaskError, NotFound
from disttask_project.kernel.json import JSON
from disttask_project.kernel.messages import text
from execution.domain.states import TaskStatus
from execution.models import Attempt, ExecutionLog, Instance, InstanceTag, Task
from execution.selectors.following import Links, links_of
from execution.selectors.instances import get_instance
from flows.domain.compiled import CompiledFlow, CompiledTask, Kind
from flows.domain.errands import kind_of, task_of
from flows.selectors import compiled_version

MAX_ROWS = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskView:
    """One task. `id` is the seed's way to show it; the key is (instance, `task_id`)."""

    id: str
    task_id: str
    task_name: str
    name: str
    type: str
    status: str
    skip_reason: str = ""
    config: JSON = None
    input_data: JSON = None
    input_override: JSON = None
    output_data: JSON = None
    result: JSON = None
    error_type: str = ""
    error_code: str = ""
    error_message: str = ""
    error_stack: str = ""
    error_final: bool = False
    attempt: int = 0
    run: int = 1
    retries: int = 0
    max_retry: int = 0
    next_at: datetime | None = None
    started_at: datetime | None = None
    completed_at: datetime | None = None
    depends_on: tuple[str, ...] = ()
    optional: bool = False
    kind: str = Kind.FORWARD  # or undo, check: then `of` is the task it belongs to
    of: str = ""
    has_undo: bool = False

    @property
    def has_failed(self) -> bool:
        """Needs a person, or what follows decides without it."""
        return self.status in (TaskStatus.FAILED, TaskStatus.UNKNOWN)


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceDetail:
    """An instance, its tasks in the order of the graph, and how many stand where."""

    instance: Instance
    tags: Mapping[str, str]
    tasks: Sequence[TaskView]
    counts: Mapping[str, int]
    links: Links

    @property
    def has_undo(self) -> bool:
        """Whether any of its tasks says how it is undone."""
        return any(task.has_undo for task in self.tasks)


def instance_detail(instance_id: str) -> InstanceDetail:
    """Instance and tasks in four queries; raises `NotFound`."""
    instance = get_instance(instance_id)
    tasks = list_tasks(instance)
    counts: dict[str, int] = {}
    for task in tasks:
        counts[task.status] = counts.get(task.status, 0) + 1
    links = links_of(instance_id)
    return InstanceDetail(instance=instance, tags=tags_of(instance), tasks=tasks, counts=counts, links=links)


def tags_of(instance: Instance) -> dict[str, str]:
    """The tags as prefetched with the instance."""
    rows: Iterable[InstanceTag] = instance.tag_rows.all()
    return {row.key: row.value for row in rows}


def list_tasks(instance: Instance) -> list[TaskView]:
    """Every task of the definition, then rows that the definition does not name: undos and checks."""
    rows = {row.task_id: row for row in Task.objects.filter(instance_id=instance.pk)}
    views: list[TaskView] = []
    for task in _defined(instance).values():
        row = rows.pop(task.id, None)
        views.append(_pending(instance.pk, task) if row is None else _stored(instance.pk, row, task))
    views.extend(_stored(instance.pk, row, None) for row in sorted(rows.values(), key=lambda row: row.task_id))
    return views


def get_task(instance: Instance, task_id: str) -> TaskView:
    """One task; raises `NotFound`."""
    row = Task.objects.filter(instance_id=instance.pk, task_id=task_id).first()
    task = _defined(instance).get(task_id)
    if row is not None:
        return _stored(instance.pk, row, task)
    if task is None:
        raise NotFound(text("Transaction {id} has no task {task}.", id=instance.pk, task=task_id[:64]))
    return _pending(instance.pk, task)


def attempts(instance: Instance, task_id: str) -> list[Attempt]:
    """The attempts of a task, oldest first, the last `MAX_ROWS` of them."""
    get_task(instance, task_id)
    rows = Attempt.objects.filter(instance_id=instance.pk, task_id=task_id).order_by("-number")[:MAX_ROWS]
    return list(rows)[::-1]


def logs(instance: Instance, *, after: int = 0, limit: int = 200) -> list[ExecutionLog]:
    """The journal behind `after`, in order of `seq`."""
    rows = ExecutionLog.objects.filter(instance_id=instance.pk, seq__gt=after).order_by("seq")
    return list(rows[: min(limit, MAX_ROWS)])


def _defined(instance: Instance) -> Mapping[str, CompiledTask]:
    """The compiled tasks; none where the stored version can no longer be read (its rows still tell the story)."""
    try:
        flow: CompiledFlow = compiled_version(instance.version_id)
    except DisttaskError:
        return {}
    return flow.tasks


def _pending(instance_id: str, task: CompiledTask) -> TaskView:
    return TaskView(
        id=f"{instance_id}_{task.id}",
        task_id=task.id,
        task_name=task.task_name,
        name=task.name,
        type=task.type,
        status=TaskStatus.PENDING,
        config=task.config.source,
        max_retry=task.retry.most_retries,
        depends_on=task.depends_on,
        optional=task.optional,
        has_undo=task.undo is not None,
    )


def _stored(instance_id: str, row: Task, task: CompiledTask | None) -> TaskView:
    copied: dict[str, Any] = {name: getattr(row, name) for name in _COPIED}
    if copied["config"] is None and task is not None:
        copied["config"] = task.config.source
    return TaskView(
        id=f"{instance_id}_{row.task_id}",
        output_data=row.result if row.output_data is None else row.output_data,
        depends_on=task.depends_on if task else (),
        optional=task.optional if task else False,
        has_undo=task is not None and task.undo is not None,
        kind=kind_of(row.task_id),
        of="" if kind_of(row.task_id) is Kind.FORWARD else task_of(row.task_id),
        **copied,
    )


_COPIED = (
    "task_id",
    "task_name",
    "name",
    "type",
    "status",
    "skip_reason",
    "config",
    "input_data",
    "input_override",
    "result",
    "error_type",
    "error_code",
    "error_message",
    "error_stack",
    "error_final",
    "attempt",
    "run",
    "retries",
    "max_retry",
    "next_at",
    "started_at",
    "completed_at",
)
