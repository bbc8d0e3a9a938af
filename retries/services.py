"""What people do about exceptions: retry by the engine's own act, or act on the record, which resumes nothing."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from django.contrib.auth import get_user_model
from django.db import transaction

from disttask_project.audit.services import record
from disttask_project.kernel.actor import Actor
from disttask_project.kernel.clock import Clock, SystemClock
from disttask_project.kernel.errors import Conflict, DisttaskError, InvalidInput, Problem
from disttask_project.kernel.json import fault_in
from disttask_project.kernel.messages import Message, text
from disttask_project.kernel.times import rfc3339
from execution.services import acts
from execution.services.performing import ActAnswer
from execution.services.refusals import ago
from retries import repository
from retries.domain.states import ACTS, Resolution, may
from retries.models import ExceptionComment, ExceptionRecord
from retries.selectors.inbox import chosen, ids_of_group
from retries.selectors.records import get_exception, last_act

VIEW: Final = "retries.view_exceptionrecord"
HANDLE: Final = "retries.handle_exception"
TEXT_LENGTH: Final = 2000
# One request must end before the web server's own limit; what is left is said, not silently dropped.
TIME_LIMIT: Final = 20.0
_DONE: Final[Mapping[str, Message]] = {
    "acknowledge": text("already acknowledged by {actor} {ago} ago"),
    "assign": text("already assigned to {assignee} by {actor} {ago} ago"),
    "ignore": text("already ignored by {actor} {ago} ago"),
    "handle": text("already handled by {actor} {ago} ago"),
    "reopen": text("already reopened by {actor} {ago} ago"),
}


@dataclass(slots=True, kw_only=True)
class Outcome:
    """What became of an act on many: refusals by their reason, and how many nobody got to."""

    done: int = 0
    asked: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    left: int = 0


def act_on_each(rows: Sequence[ExceptionRecord], work: Callable[[ExceptionRecord], object]) -> Outcome:
    """Each by itself through its service: one that is refused stops no other."""
    outcome = Outcome()
    deadline = time.monotonic() + TIME_LIMIT
    for index, row in enumerate(rows):
        if time.monotonic() > deadline:
            outcome.left = len(rows) - index
            break
        try:
            answer = work(row)
        except DisttaskError as error:
            outcome.refused[error.message] += 1
        else:
            asked = isinstance(answer, ActAnswer) and answer.state == "asked"
            outcome.asked += asked
            outcome.done += not asked
    return outcome


def act_on_group(*, fingerprint: str, act: str, actor: Actor, **given: Any) -> Outcome:
    """The act on whatever waits with this cause, at most `MAX_BULK` of it."""
    actor.require(HANDLE)
    rows = [row for row in chosen(ids_of_group(fingerprint)) if may(act, state=row.state, handled=row.handled)]
    return act_on_each(rows, lambda row: ON_RECORDS[act](exception_id=row.pk, actor=actor, **given))


def retry_exception(
    *,
    exception_id: str,
    actor: Actor,
    reason: str = "",
    input: Mapping[str, Any] | None = None,  # noqa: A002  the field's own name
    config: Mapping[str, Any] | None = None,
    outcome: str | None = None,
) -> ActAnswer:
    """Retry the task (or the instance) that the record is about; raises as `acts.retry` does."""
    actor.require(VIEW)
    found = get_exception(exception_id)
    return acts.retry(
        instance_id=found.instance_id,
        task_id=found.task_id,
        reason=reason,
        actor=actor,
        input=input,
        config=config,
        outcome=outcome,
    )


def acknowledge_exception(
    *, exception_id: str, actor: Actor, reason: str = "", clock: Clock | None = None
) -> ExceptionRecord:
    """Say that it is seen. Raises `Conflict` unless it is open."""
    return _act("acknowledge", exception_id, actor=actor, reason=_checked("reason", reason), clock=clock)


def assign_exception(
    *,
    exception_id: str,
    actor: Actor,
    user: str | None = None,
    due_at: datetime | None = None,
    taken_from: str = "",
    reason: str = "",
    clock: Clock | None = None,
) -> ExceptionRecord:
    """Give it to `user`, or take it oneself. Raises `Conflict` when somebody other than `taken_from` has it."""
    actor.require(HANDLE)
    assignee = user or actor.name
    if user and not get_user_model().objects.filter(username=user, is_active=True).exists():
        raise _bad("user", "unknown", text("There is no active user {name}.", name=user[:150]))
    return _act(
        "assign",
        exception_id,
        actor=actor,
        reason=_checked("reason", reason),
        clock=clock,
        changes={"assignee": assignee, "due_at": due_at},
        holders=(taken_from, assignee),
    )


def ignore_exception(*, exception_id: str, reason: str, actor: Actor, clock: Clock | None = None) -> ExceptionRecord:
    """Leave it alone until it occurs again. Raises `Conflict` when it is closed."""
    return _act("ignore", exception_id, actor=actor, reason=_required("reason", reason), clock=clock)


def handle_exception(
    *,
    exception_id: str,
    remark: str,
    actor: Actor,
    resolution: str = Resolution.FIXED_OUTSIDE.value,
    clock: Clock | None = None,
) -> ExceptionRecord:
    """Mark as handled outside the engine: nothing resumes. Raises `Conflict` when it is marked already."""
    actor.require(HANDLE)
    if resolution not in set(Resolution):
        known = ", ".join(Resolution)
        raise _bad("resolution", "bad_choice", text("The resolution is one of {known}.", known=known))
    now = (clock or SystemClock()).now()
    remark = _required("remark", remark)
    changes = {
        "handled": True,
        "handled_by": actor.name,
        "handled_at": now,
        "handled_remark": remark,
        "resolution": resolution,
    }
    return _act("handle", exception_id, actor=actor, reason=remark, clock=clock, changes=changes)


def reopen_exception(*, exception_id: str, reason: str, actor: Actor, clock: Clock | None = None) -> ExceptionRecord:
    """Put what a person closed back into the inbox. Raises `Conflict` when it is open, or its task has succeeded."""
    changes = {"handled": False, "handled_by": "", "handled_at": None, "handled_remark": "", "resolution": ""}
    return _act("reopen", exception_id, actor=actor, reason=_required("reason", reason), clock=clock, changes=changes)


def comment_exception(*, exception_id: str, comment: str, actor: Actor, clock: Clock | None = None) -> ExceptionComment:
    """Write beside it, whatever its state."""
    actor.require(HANDLE)
    comment = _required("comment", comment)
    now = (clock or SystemClock()).now()
    with transaction.atomic():
        found = get_exception(exception_id)
        written = repository.add_comment(found.pk, author=actor.name, comment=comment, now=now)
        record(
            actor=actor,
            act="exception.comment",
            object_type="exception",
            object_id=found.pk,
            reason=comment,
            after={"comment": written.pk},
        )
    return written


ON_RECORDS: Final[Mapping[str, Callable[..., ExceptionRecord]]] = {
    "acknowledge": acknowledge_exception,
    "assign": assign_exception,
    "ignore": ignore_exception,
    "handle": handle_exception,
    "reopen": reopen_exception,
}


def _act(
    act: str,
    exception_id: str,
    *,
    actor: Actor,
    reason: str,
    clock: Clock | None,
    changes: Mapping[str, Any] | None = None,
    holders: tuple[str, ...] = (),
) -> ExceptionRecord:
    """One act on one record: permission, table, compare-and-swap and audit, for all acts alike."""
    actor.require(HANDLE)
    now = (clock or SystemClock()).now()
    target = ACTS[act].leads_to
    changed = dict(changes or {}) | ({"state": target.value} if target else {})
    with transaction.atomic():
        found = get_exception(exception_id)
        allowed = may(act, state=found.state, handled=found.handled)
        if holders and found.assignee not in holders:
            allowed = False
        if not (allowed and repository.change(found, changed, now=now)):
            raise _lost(act, get_exception(exception_id), now=now)
        record(
            actor=actor,
            act=f"exception.{act}",
            object_type="exception",
            object_id=exception_id,
            reason=reason,
            before={name: _plain(getattr(found, name)) for name in changed},
            after={name: _plain(value) for name, value in changed.items()},
        )
    return get_exception(exception_id)


def _lost(act: str, found: ExceptionRecord, *, now: datetime) -> Conflict:
    """Who was first, by the record or the operations log; else the state that stands in the way."""
    if act == "handle" and found.handled:
        since = ago(found.handled_at or found.updated_at, now=now)
        return Conflict(
            text("already handled by {actor} {ago} ago", actor=found.handled_by, ago=since), symbol="ALREADY_HANDLED"
        )
    last = last_act(found.pk, acts=[act] if act == "assign" else [name for name in ACTS if name != "assign"])
    if last is None or (act != "assign" and (last.after or {}).get("state") != found.state):
        message = text("The exception is {state}: the act does not apply.", state=found.state)
    else:
        values = {"actor": last.actor, "ago": ago(last.at, now=now), "assignee": found.assignee}
        message = text(_DONE[last.act.rpartition(".")[2]].template, **values)
    return Conflict(message, symbol="EXCEPTION_MOVED")


def _plain(value: Any) -> Any:
    return rfc3339(value) if isinstance(value, datetime) else value


def _required(name: str, value: str) -> str:
    value = _checked(name, value)
    if not value:
        message = text("Say what was done: a remark is required.") if name == "remark" else text("Say why or what.")
        raise _bad(name, "required", message)
    return value


def _checked(name: str, value: str) -> str:
    value = value.strip()
    if fault := fault_in(value):
        raise _bad(name, "bad_value", text("{name} cannot be stored: {fault}.", name=name, fault=fault))
    if len(value) > TEXT_LENGTH:
        raise _bad(name, "too_long", text("{name} is longer than {most} characters.", name=name, most=TEXT_LENGTH))
    return value


def _bad(name: str, code: str, message: Message) -> InvalidInput:
    return InvalidInput(message, problems=[Problem(loc=(name,), code=code, message=message)])
