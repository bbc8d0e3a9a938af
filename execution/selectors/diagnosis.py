"""What failed and what can mend it; why an instance is not moving (console rules 1 and 3)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from disttask_project.kernel.json import JSON
from disttask_project.kernel.messages import Message, text
from execution.domain.states import InstanceStatus, TaskStatus
from execution.models import Attempt, Instance, OperatorAction
from execution.selectors.instances import OPEN_EXCEPTIONS
from execution.selectors.tasks import InstanceDetail, TaskView
from execution.selectors.waiting import Waiting, why_parked
from execution.selectors.workers import alive_sessions
from flows.domain.compiled import Kind
from flows.domain.errands import kind_of

# Where a call went, by the keys that an executor's config names it with, the most telling first.
TARGET_KEYS: Final = (("url",), ("service", "method"), ("topic",), ("connection", "table"))
MAX_NAMED: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Mend:
    """One act that can help, with what it needs."""

    act: str
    task_id: str
    permission: str
    needs_reason: bool
    hint: Message


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """The failure that decides how things stand. `task_id` is empty where the instance itself failed.

    `attempt` of `attempts_max` counts within the present run; `mends` are in order of safety.
    """

    task_id: str
    task_name: str
    name: str
    type: str
    attempt: int
    attempts_max: int
    error_type: str
    code: str
    message: str
    target: str
    response: JSON
    outcome_unknown: bool
    exception_id: str
    at: datetime | None
    mends: Sequence[Mend]


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenException:
    """An exception record of an upper app, by the columns a reader of the instance needs."""

    id: str
    task_id: str
    error_code: str
    state: str


def cause(detail: InstanceDetail) -> Cause | None:
    """What failed, or None where nothing has. Two queries at most."""
    instance = detail.instance
    if instance.status == InstanceStatus.SUCCESS:
        return None
    task = _culprit(detail)
    open_ones = open_exceptions(instance.pk)
    if task is not None:
        return _task_cause(instance, task, open_ones, can_undo=detail.has_undo)
    error = instance.error if isinstance(instance.error, dict) else None
    return _instance_cause(instance, error, open_ones, can_undo=detail.has_undo) if error else None


def waiting_reason(detail: InstanceDetail, *, now: datetime) -> Waiting | None:
    """Why it is not moving, or None once it has ended. Two queries at most."""
    instance = detail.instance
    if instance.closed or InstanceStatus(instance.status).is_terminal:
        return None
    asked = OperatorAction.objects.filter(instance_id=instance.pk, state=OperatorAction.State.ASKED).first()
    if asked is not None:
        message = text("{actor} asked for {act}; a worker takes it up.", actor=asked.actor, act=asked.act)
        return Waiting(code="act_asked", message=message)
    if instance.status == InstanceStatus.PAUSED:
        return Waiting(
            code="paused", message=text("Paused: nothing starts until somebody resumes it."), needs_person=True
        )
    if instance.status == InstanceStatus.COMPENSATING and instance.needs_attention:
        stuck = [task.task_id for task in detail.tasks if task.kind == Kind.UNDO and task.has_failed]
        message = text("Could not be undone: {tasks}. A person must retry, skip or mark it.", tasks=_named(stuck))
        return Waiting(code="undo_failed", message=message, task_ids=stuck, needs_person=True)
    if instance.status == InstanceStatus.FAILED:
        failed = [task.task_id for task in detail.tasks if task.has_failed]
        message = text("Waiting for a person: {tasks}.", tasks=_named(failed) or instance.pk)
        return Waiting(code="person", message=message, task_ids=failed, needs_person=True)
    return _why_running(detail, now)


def upstream_of(detail: InstanceDetail, task_id: str) -> list[str]:
    """The dependencies that a pending task still waits for."""
    by_id = {task.task_id: task for task in detail.tasks}
    task = by_id.get(task_id)
    if task is None:
        return []
    return [each for each in task.depends_on if each in by_id and not TaskStatus(by_id[each].status).has_ended]


def open_exceptions(instance_id: str) -> list[OpenException]:
    """Records that are not closed, newest first; read through the reverse of the upper app's key."""
    rows = (
        Instance.objects.filter(pk=instance_id, exceptions__state__in=OPEN_EXCEPTIONS)
        .order_by("-exceptions__occurred_at")
        .values_list("exceptions__id", "exceptions__task_id", "exceptions__error_code", "exceptions__state")
    )
    return [OpenException(id=row[0], task_id=row[1], error_code=row[2], state=row[3]) for row in rows[:200]]


def target_of(config: JSON) -> str:
    """Where a call went, or an empty string."""
    if not isinstance(config, Mapping):
        return ""
    for keys in TARGET_KEYS:
        found = [str(config[key]) for key in keys if config.get(key)]
        if found:
            return ".".join(found)
    return ""


def _culprit(detail: InstanceDetail) -> TaskView | None:
    """The task that decided the instance's status; else the first that failed, or that waits after a failure."""
    error = detail.instance.error
    decided = error.get("task_id") if isinstance(error, dict) else None
    failing = [task for task in detail.tasks if (task.error_code or task.error_message) and task.kind != Kind.CHECK]
    stuck = next((task for task in failing if task.kind == Kind.UNDO and task.has_failed), None)
    if stuck is not None:
        return stuck
    for task in failing:
        if decided and task.task_id == decided:
            return task
    if isinstance(error, dict) and not decided:
        return None
    hard = [task for task in failing if task.has_failed and not task.optional]
    waiting = [task for task in failing if task.status == TaskStatus.RETRYING]
    candidates = hard or waiting
    return min(candidates, key=lambda task: (str(task.completed_at or ""), task.task_id), default=None)


def _task_cause(instance: Instance, task: TaskView, open_ones: Sequence[OpenException], *, can_undo: bool) -> Cause:
    last = Attempt.objects.filter(instance_id=instance.pk, task_id=task.task_id).order_by("-number").first()
    unknown = task.error_type == "UnknownOutcome" or task.status == TaskStatus.UNKNOWN
    record = next((each for each in open_ones if each.task_id == task.task_id), None)
    sent: Any = last.request if last is not None and isinstance(last.request, dict) else {}
    return Cause(
        task_id=task.task_id,
        task_name=task.task_name,
        name=task.name,
        type=task.type,
        attempt=task.retries + 1 if task.attempt else 0,
        attempts_max=task.max_retry + 1,
        error_type=task.error_type,
        code=task.error_code,
        message=task.error_message,
        target=target_of(sent.get("config")) or target_of(task.config),
        response=last.response if last else None,
        outcome_unknown=unknown,
        exception_id=record.id if record else "",
        at=task.completed_at or (last.ended_at if last else None),
        mends=_mends(instance, task.task_id, unknown=unknown, can_undo=can_undo),
    )


def _instance_cause(
    instance: Instance, error: Mapping[str, Any], open_ones: Sequence[OpenException], *, can_undo: bool
) -> Cause:
    record = next((each for each in open_ones if not each.task_id), None)
    return Cause(
        task_id="",
        task_name="",
        name="",
        type="",
        attempt=0,
        attempts_max=0,
        error_type=str(error.get("type", "")),
        code=str(error.get("code", "")),
        message=str(error.get("message", "")),
        target="",
        response=None,
        outcome_unknown=False,
        exception_id=record.id if record else "",
        at=instance.updated_at,
        mends=_mends(instance, "", unknown=False, can_undo=can_undo),
    )


def _mends(instance: Instance, task_id: str, *, unknown: bool, can_undo: bool) -> list[Mend]:
    if instance.closed or InstanceStatus(instance.status).is_terminal:
        return []
    being_undone = InstanceStatus.COMPENSATING in (instance.status, instance.paused_from)
    if being_undone and kind_of(task_id) is not Kind.UNDO:
        return []  # what failed is being undone: only an undo can be acted on
    again = text("Tries the same call again under the same idempotency key.")
    if unknown:
        again = text("Nobody knows whether the last call took effect: find out at the target before you retry.")
    mends = [_mend("retry", task_id, "retry_instance", again, needs_reason=False)]
    if task_id:
        mends += [
            _mend(
                "retry_changed",
                task_id,
                "edit_input",
                text("Tries again with changed input or config, as a new run with a new key."),
                needs_reason=False,
            ),
            _mend(
                "mark_success",
                task_id,
                "mark_task_success",
                text("If the target did take effect: the flow goes on with the output you give."),
            ),
            _mend("skip", task_id, "skip_task", text("Leaves the task out; the flow goes on without it.")),
        ]
    if being_undone:
        return mends
    if instance.status == InstanceStatus.FAILED:
        if can_undo:
            hint = text("Undoes what was done, in reverse order; look at the plan first.")
            mends.append(_mend("compensate", "", "compensate_instance", hint))
        mends.append(_mend("close", "", "cancel_instance", text("Accepts the failure: nothing more happens.")))
    mends.append(_mend("cancel", "", "cancel_instance", text("Ends the transaction; nothing that was done is undone.")))
    return mends


def _mend(act: str, task_id: str, permission: str, hint: Message, *, needs_reason: bool = True) -> Mend:
    return Mend(act=act, task_id=task_id, permission=f"execution.{permission}", needs_reason=needs_reason, hint=hint)


def _why_running(detail: InstanceDetail, now: datetime) -> Waiting:
    flying = [task.task_id for task in detail.tasks if task.status == TaskStatus.RUNNING]
    asked = _asked(detail)
    if asked is not None and not flying:
        return asked
    delayed = sorted(
        (task.next_at, task.task_id)
        for task in detail.tasks
        if task.status == TaskStatus.RETRYING and task.next_at is not None and task.next_at > now
    )
    if delayed and not flying:
        until, task_id = delayed[0]
        message = text("{task} failed and backs off until its next attempt.", task=task_id)
        return Waiting(code="backoff", message=message, until=until, task_ids=[each for _at, each in delayed])
    parked = why_parked(detail.instance, now=now)
    if parked is not None:
        return parked
    if not alive_sessions(now=now):
        message = text("No worker is alive: start one with runcluster or runengine.")
        return Waiting(code="no_worker", message=message, needs_person=True)
    if flying:
        message = text("Waiting for the answer to {tasks}.", tasks=_named(flying))
        return Waiting(code="in_flight", message=message, task_ids=flying)
    return Waiting(code="due", message=text("Due: the next free worker takes it up."))


def _asked(detail: InstanceDetail) -> Waiting | None:
    """Nobody knows whether a call took effect, and its check is asking."""
    for check in detail.tasks:
        if check.kind == Kind.CHECK and check.status == TaskStatus.RETRYING:
            message = text(
                "Nobody knows whether {task} took effect; asked {count} of {most} times, next:",
                task=check.of,
                count=check.retries,
                most=check.max_retry,
            )
            return Waiting(code="checking", message=message, until=check.next_at, task_ids=[check.of])
    return None


def _named(task_ids: Sequence[str]) -> str:
    more = f" +{len(task_ids) - MAX_NAMED}" if len(task_ids) > MAX_NAMED else ""
    return ", ".join(task_ids[:MAX_NAMED]) + more
