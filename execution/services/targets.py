"""Acts on targets: open or close a breaker by hand, until a time or until further notice; set limits.

Every act needs the permission and a reason, and leaves its line in the operations log.
"""

from __future__ import annotations

import math
from datetime import datetime
from typing import Any, Final

from django.db import transaction

from disttask_project.audit.services import record
from disttask_project.kernel.actor import Actor
from disttask_project.kernel.errors import InvalidInput, NotFound, Problem
from disttask_project.kernel.json import JSON, fault_in
from disttask_project.kernel.messages import Message, text
from execution.domain.breaker import BreakerState, closed, forced
from execution.engine.loading import current_store
from execution.executors.base import TARGET_LENGTH, executor_types
from execution.repository.targets import breaker_of, lock_target, new_target, save_breaker, save_limits
from execution.services.faults import telling_store_faults
from execution.target_models import Target

PERMISSION: Final = "execution.operate_target"
MOST_CONCURRENCY: Final = 1_000_000


def open_target(*, target_id: str, reason: str, actor: Actor, until: datetime | None = None) -> Target:
    """Send nothing to the target until the time, then probe; without one until somebody closes it."""
    return _force(target_id, BreakerState.OPEN, until=until, reason=reason, actor=actor)


def close_target(*, target_id: str, reason: str, actor: Actor, until: datetime | None = None) -> Target:
    """Let calls pass again, by the ramp where it was open; with a time it does not open by itself before then."""
    return _force(target_id, BreakerState.CLOSED, until=until, reason=reason, actor=actor)


def limit_target(
    *, target_id: str, reason: str, actor: Actor, concurrency: int | None = None, rate: float | None = None
) -> Target:
    """Set both limits; None: as the configuration says, 0: none."""
    reason = _checked(target_id, reason, actor)
    problems = [
        problem
        for problem in (
            _bad_number("concurrency", concurrency, most=MOST_CONCURRENCY),
            _bad_number("rate", rate, most=float(MOST_CONCURRENCY)),
        )
        if problem
    ]
    if problems:
        raise InvalidInput(problems[0].message, problems=problems)
    with telling_store_faults(), transaction.atomic():
        row = lock_target(target_id) or new_target(target_id, now=current_store().now())
        before = {"concurrency": row.concurrency, "rate": row.rate}
        save_limits(row, concurrency=concurrency, rate=rate)
        after = {"concurrency": concurrency, "rate": rate}
        _record(actor, "limit", row.pk, reason, (before, after))
    return row


def _force(target_id: str, state: BreakerState, *, until: datetime | None, reason: str, actor: Actor) -> Target:
    reason = _checked(target_id, reason, actor)
    store = current_store()
    with telling_store_faults():
        now = store.now()
    if until is not None and until <= now:
        message = text("The time must lie ahead.")
        raise InvalidInput(message, problems=[Problem(loc=("until",), code="in_the_past", message=message)])
    with telling_store_faults(), transaction.atomic():
        row = lock_target(target_id) or new_target(target_id, now=now)
        breaker = breaker_of(row)
        before = _told(row)
        was_shut = breaker.state_at(now) is not BreakerState.CLOSED
        if state is BreakerState.OPEN or until is not None:
            changed = forced(breaker, state, until=until, now=now)
        elif was_shut:
            changed = closed(breaker, now=now)
        else:
            changed = forced(breaker, BreakerState.CLOSED, until=now, now=now)
        save_breaker(row, changed, by=actor.name, reason=reason)
        act = "open" if state is BreakerState.OPEN else "close"
        _record(actor, act, row.pk, reason, (before, _told(row)))
    return row


def _checked(target_id: str, reason: str, actor: Actor) -> str:
    actor.require(PERMISSION)
    type_, _, address = target_id.partition(":")
    if type_ not in executor_types() or not address or len(target_id) > TARGET_LENGTH or not target_id.isprintable():
        raise NotFound(
            text("{id} is no target: write a task type and an address, http:bank.example:443.", id=target_id),
            symbol="TARGET_NOT_FOUND",
        )
    reason = reason.strip()
    message: Message | None = None if reason else text("Say why: a reason is required.")
    if fault := fault_in(reason):
        message = text("{name} cannot be stored: {fault}.", name="reason", fault=fault)
    if message:
        raise InvalidInput(message, problems=[Problem(loc=("reason",), code="required", message=message)])
    return reason


def _bad_number(name: str, value: float | None, *, most: float) -> Problem | None:
    if value is None or (math.isfinite(value) and 0 <= value <= most):
        return None
    message = text("{name} must be from 0 (no limit) to {most}.", name=name, most=int(most))
    return Problem(loc=(name,), code="out_of_range", message=message)


def _told(row: Target) -> dict[str, Any]:
    until = row.forced_until
    return {"state": row.state, "forced": row.forced, "until": until.isoformat() if until else None}


def _record(actor: Actor, act: str, target_id: str, reason: str, change: tuple[JSON, JSON]) -> None:
    record(
        actor=actor,
        act=f"target.{act}",
        object_type="target",
        object_id=target_id,
        reason=reason,
        before=change[0],
        after=change[1],
    )
