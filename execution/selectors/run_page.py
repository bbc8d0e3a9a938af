"""All that the console's run page shows of one instance, read in a fixed number of queries."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from disttask_project.audit.models import AuditEntry
from execution.domain.states import InstanceStatus, TaskStatus
from execution.models import Attempt, ExecutionLog, Instance, OperatorAction
from execution.selectors.diagnosis import waiting_reason
from execution.selectors.tasks import InstanceDetail, TaskView, instance_detail
from execution.selectors.waiting import Waiting
from execution.selectors.workers import alive_sessions
from flows.domain.compiled import Kind

LOG_ROWS: Final = 300
ATTEMPT_ROWS: Final = 2_000
AUDIT_ROWS: Final = 50
KNOWN: Final = frozenset(status.value for status in InstanceStatus)  # a newer engine may write others
PROBLEMS: Final = (TaskStatus.FAILED, TaskStatus.UNKNOWN, TaskStatus.RETRYING)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunTask:
    """A task as readers see it, with its attempts (without their payloads)."""

    row: TaskView
    attempts: list[Attempt] = field(default_factory=list)

    @property
    def task_id(self) -> str:
        return self.row.task_id

    @property
    def name(self) -> str:
        return self.row.name

    @property
    def status(self) -> str:
        return self.row.status

    @property
    def is_problem(self) -> bool:
        """A check is told at its task."""
        return self.row.status in PROBLEMS and self.row.kind != Kind.CHECK

    @property
    def length(self) -> timedelta | None:
        if self.row.started_at is None or self.row.completed_at is None:
            return None
        return self.row.completed_at - self.row.started_at


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One instance as the run page sees it; `tasks` in the order of the graph."""

    detail: InstanceDetail
    tasks: Sequence[RunTask]
    log: Sequence[ExecutionLog]
    log_is_cut: bool
    audit: Sequence[AuditEntry]
    asked: Sequence[OperatorAction]
    waiting: Waiting | None
    workers_alive: bool
    now: datetime

    @property
    def instance(self) -> Instance:
        return self.detail.instance

    @property
    def definition(self) -> Any:
        return self.instance.version.definition

    @property
    def version_mark(self) -> str:
        """Changes whenever the page would look different."""
        return _mark(self.instance.rev, self.instance.inbox, alive=self.workers_alive, asked=self.asked)

    def problems(self) -> list[RunTask]:
        """Tasks that need a look: the one that decided the status first, then by kind and time."""
        decided = self.instance.error.get("task_id") if isinstance(self.instance.error, dict) else None
        order = {status.value: rank for rank, status in enumerate(PROBLEMS)}
        return sorted(
            (task for task in self.tasks if task.is_problem),
            key=lambda task: (
                task.row.kind != Kind.UNDO,  # while it is undone, that is what stands still
                task.task_id != decided,
                order[task.status],
                task.row.completed_at or task.row.started_at or self.now,
            ),
        )


def version_mark(instance_id: str, *, now: datetime) -> str | None:
    """The mark of `Run.version_mark` alone, in three cheap queries; None where there is no such instance."""
    row = Instance.objects.filter(pk=instance_id).values_list("rev", "inbox").first()
    if row is None:
        return None
    return _mark(*row, alive=bool(alive_sessions(now=now)), asked=_asked(instance_id))


def _mark(rev: int, inbox: int, *, alive: bool, asked: Iterable[OperatorAction]) -> str:
    return f"{rev}.{inbox}.{int(alive)}." + "".join(action.pk[-6:] for action in asked)


def read_run(instance_id: str, *, now: datetime) -> Run:
    """The run; raises `NotFound`."""
    detail = instance_detail(instance_id)
    log_rows = list(ExecutionLog.objects.filter(instance_id=instance_id).order_by("-seq")[: LOG_ROWS + 1])
    return Run(
        detail=detail,
        tasks=_with_attempts(detail),
        log=log_rows[:LOG_ROWS][::-1],
        log_is_cut=len(log_rows) > LOG_ROWS,
        audit=_audit(instance_id),
        asked=_asked(instance_id),
        waiting=waiting_reason(detail, now=now) if detail.instance.status in KNOWN else None,
        workers_alive=bool(alive_sessions(now=now)),
        now=now,
    )


def attempts_of(instance_id: str, task_id: str, *, limit: int = 50) -> list[Attempt]:
    """The attempts of a task with their payloads, newest first."""
    return list(Attempt.objects.filter(instance_id=instance_id, task_id=task_id).order_by("-number")[:limit])


def attempt(instance_id: str, task_id: str, number: int) -> Attempt | None:
    return Attempt.objects.filter(instance_id=instance_id, task_id=task_id, number=number).first()


def _audit(instance_id: str) -> list[AuditEntry]:
    """Acts on the instance and on its tasks (`{instance}:{task}`: a range of the index), newest first."""
    own = AuditEntry.objects.filter(object_type="instance", object_id=instance_id)[:AUDIT_ROWS]
    behind_colon = chr(ord(":") + 1)
    tasks = AuditEntry.objects.filter(
        object_type="task", object_id__gte=f"{instance_id}:", object_id__lt=f"{instance_id}{behind_colon}"
    )[:AUDIT_ROWS]
    return sorted([*own, *tasks], key=lambda entry: (entry.at, entry.pk), reverse=True)[:AUDIT_ROWS]


def _asked(instance_id: str) -> list[OperatorAction]:
    rows = OperatorAction.objects.filter(instance_id=instance_id, state=OperatorAction.State.ASKED)
    return list(rows.order_by("asked_at", "id"))


def _with_attempts(detail: InstanceDetail) -> list[RunTask]:
    tasks = {view.task_id: RunTask(row=view) for view in detail.tasks}
    light = Attempt.objects.filter(instance_id=detail.instance.pk).defer("request", "response", "error_stack", "stale")
    for found in light.order_by("task_id", "number")[:ATTEMPT_ROWS]:
        if found.task_id in tasks:
            tasks[found.task_id].attempts.append(found)
    return list(tasks.values())
