"""All that the console's run page shows of one instance, read in a fixed number of queries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from disttask_project.audit.models import AuditEntry
from execution.domain.states import TaskStatus
from execution.models import Attempt, EngineSession, ExecutionLog, Instance, OperatorAction, Task

LOG_ROWS: Final = 300
ATTEMPT_ROWS: Final = 2_000
AUDIT_ROWS: Final = 50
# A driver writes its heartbeat each second; after this long nobody should count on it.
ALIVE: Final = timedelta(seconds=15)
PROBLEMS: Final = (TaskStatus.FAILED, TaskStatus.UNKNOWN, TaskStatus.RETRYING)


@dataclass(slots=True, kw_only=True)
class TaskView:
    """A task of the definition with its row, if it has one, and its attempts without payloads."""

    task_id: str
    name: str
    type: str
    depends_on: Sequence[str]
    row: Task | None
    attempts: list[Attempt] = field(default_factory=list)

    @property
    def status(self) -> str:
        return self.row.status if self.row else TaskStatus.PENDING.value

    @property
    def is_problem(self) -> bool:
        return self.row is not None and self.row.status in PROBLEMS

    @property
    def length(self) -> timedelta | None:
        if self.row is None or self.row.started_at is None or self.row.completed_at is None:
            return None
        return self.row.completed_at - self.row.started_at


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One instance as the run page sees it; `tasks` in the definition's order."""

    instance: Instance
    definition: Mapping[str, Any]
    tasks: Sequence[TaskView]
    log: Sequence[ExecutionLog]
    log_is_cut: bool
    audit: Sequence[AuditEntry]
    asked: Sequence[OperatorAction]
    workers_alive: bool
    now: datetime

    @property
    def version_mark(self) -> str:
        """Changes whenever the page would look different."""
        asked = "".join(action.id[-6:] for action in self.asked)
        return f"{self.instance.rev}.{self.instance.inbox}.{int(self.workers_alive)}.{asked}"

    def problems(self) -> list[TaskView]:
        """Tasks that need a look, the one that decided the status first, then the oldest failure."""
        decided = (self.instance.error or {}).get("task_id") if isinstance(self.instance.error, dict) else None
        order = {TaskStatus.FAILED.value: 0, TaskStatus.UNKNOWN.value: 1, TaskStatus.RETRYING.value: 2}
        return sorted(
            (task for task in self.tasks if task.is_problem and task.row),
            key=lambda task: (task.task_id != decided, order[task.status], task.row.first_failed_at or self.now),  # type: ignore[union-attr]
        )


def version_mark(instance_id: str, *, now: datetime) -> str | None:
    """The mark of `Run.version_mark` alone, in cheap queries; None where there is no such instance."""
    row = Instance.objects.filter(pk=instance_id).values_list("rev", "inbox").first()
    if row is None:
        return None
    asked = "".join(pk[-6:] for pk in _asked(instance_id).values_list("pk", flat=True))
    return f"{row[0]}.{row[1]}.{int(workers_alive(now=now))}.{asked}"


def read_run(instance_id: str, *, now: datetime, log_task: str = "") -> Run | None:
    """The run, or None where there is no such instance."""
    instance = Instance.objects.select_related("flow", "version").filter(pk=instance_id).first()
    if instance is None:
        return None
    log = ExecutionLog.objects.filter(instance_id=instance_id)
    if log_task:
        log = log.filter(task_id=log_task)
    log_rows = list(log.order_by("-seq")[: LOG_ROWS + 1])
    definition = instance.version.definition if isinstance(instance.version.definition, dict) else {}
    return Run(
        instance=instance,
        definition=definition,
        tasks=_tasks(instance_id, definition),
        log=log_rows[:LOG_ROWS][::-1],
        log_is_cut=len(log_rows) > LOG_ROWS,
        audit=_audit(instance_id),
        asked=list(_asked(instance_id)),
        workers_alive=workers_alive(now=now),
        now=now,
    )


def workers_alive(*, now: datetime) -> bool:
    return EngineSession.objects.filter(heartbeat_at__gte=now - ALIVE, state="running").exists()


def attempts_of(instance_id: str, task_id: str, *, limit: int = 50) -> list[Attempt]:
    """The attempts of a task with their payloads, newest first."""
    return list(Attempt.objects.filter(instance_id=instance_id, task_id=task_id).order_by("-number")[:limit])


def attempt(instance_id: str, task_id: str, number: int) -> Attempt | None:
    return Attempt.objects.filter(instance_id=instance_id, task_id=task_id, number=number).first()


def task_row(instance_id: str, task_id: str) -> Task | None:
    return Task.objects.filter(instance_id=instance_id, task_id=task_id).first()


def _audit(instance_id: str) -> list[AuditEntry]:
    """Acts on the instance and on its tasks (`{instance}:{task}`: a range of the index), newest first."""
    own = AuditEntry.objects.filter(object_type="instance", object_id=instance_id)[:AUDIT_ROWS]
    behind_colon = chr(ord(":") + 1)
    tasks = AuditEntry.objects.filter(
        object_type="task", object_id__gte=f"{instance_id}:", object_id__lt=f"{instance_id}{behind_colon}"
    )[:AUDIT_ROWS]
    return sorted([*own, *tasks], key=lambda entry: (entry.at, entry.pk), reverse=True)[:AUDIT_ROWS]


def _asked(instance_id: str) -> Any:
    return OperatorAction.objects.filter(instance_id=instance_id, state=OperatorAction.State.ASKED).order_by(
        "asked_at", "id"
    )


def _tasks(instance_id: str, definition: Mapping[str, Any]) -> list[TaskView]:
    rows = {
        row.task_id: row
        for row in Task.objects.filter(instance_id=instance_id).defer("result", "output_data", "error_stack")
    }
    views: dict[str, TaskView] = {}
    for entry in definition.get("tasks") or []:
        task_id = str(entry.get("id", ""))
        views[task_id] = TaskView(
            task_id=task_id,
            name=str(entry.get("description") or entry.get("task_name") or task_id),
            type=str(entry.get("task_name") or entry.get("type") or ""),
            depends_on=[str(name) for name in entry.get("depends_on") or []],
            row=rows.pop(task_id, None),
        )
    for task_id, row in rows.items():  # generated while running: not in the definition
        views[task_id] = TaskView(task_id=task_id, name=row.name, type=row.type, depends_on=(), row=row)
    light = Attempt.objects.filter(instance_id=instance_id).defer("request", "response", "error_stack", "stale")
    for found in light.order_by("task_id", "number")[:ATTEMPT_ROWS]:
        if found.task_id in views:
            views[found.task_id].attempts.append(found)
    return list(views.values())
