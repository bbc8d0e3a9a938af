"""Why an act was refused, with who was first: "already retried by li.wei 4 s ago"."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from disttask_project.kernel.errors import Conflict, DisttaskError, NotFound
from disttask_project.kernel.messages import Message, text
from execution.engine.loading import current_store
from execution.engine.state import Verdict
from execution.models import OperatorAction
from execution.stores.base import NewAction

_FRESH: Final = timedelta(hours=1)  # an older act explains nothing about a lost race
_DONE: Final = {
    "retry": text("already retried by {actor} {ago} ago"),
    "skip": text("already skipped by {actor} {ago} ago"),
    "mark_success": text("already marked as successful by {actor} {ago} ago"),
    "rerun": text("already run again by {actor} {ago} ago"),
    "compensate": text("already being undone by {actor}, asked {ago} ago"),
    "cancel": text("already cancelled by {actor} {ago} ago"),
    "pause": text("already paused by {actor} {ago} ago"),
    "resume": text("already resumed by {actor} {ago} ago"),
    "close": text("already closed by {actor} {ago} ago"),
}


def refused(action: NewAction, verdict: Verdict) -> DisttaskError:
    """The error of a refused act: the state that stands in the way, and whose act made it so."""
    if verdict.code == "UNKNOWN_TASK":
        return NotFound(verdict.message, symbol="UNKNOWN_TASK")
    winner = _winner(action)
    if winner is None:
        return Conflict(verdict.message, symbol=verdict.code or "CONFLICT")
    return Conflict(
        text("{message} ({winner})", message=verdict.message, winner=winner), symbol=verdict.code or "CONFLICT"
    )


def already_asked(action: NewAction) -> Conflict:
    """The same act is open: somebody asked first and its driver has not decided yet."""
    key = f"{action.instance_id}:{action.task_id}:{action.act}"
    first = OperatorAction.objects.filter(open_key=key).first()
    if first is None:
        return Conflict(text("Somebody else has just asked for the same act."), symbol="ALREADY_ASKED")
    return Conflict(
        text(
            "{actor} asked for the same act {ago} ago; it is about to be done.",
            actor=first.actor,
            ago=ago(first.asked_at, now=current_store().now()),
        ),
        symbol="ALREADY_ASKED",
    )


def ago(moment: datetime, *, now: datetime) -> Message:
    """A duration as people say it."""
    seconds = max(0, int((now - moment).total_seconds()))
    if seconds < 120:
        return text("{count} s", count=seconds)
    if seconds < 7200:
        return text("{count} min", count=seconds // 60)
    return text("{count} h", count=seconds // 3600)


def _winner(action: NewAction) -> Message | None:
    """The last act done on the same task (or on the instance, which concerns every task)."""
    done = OperatorAction.objects.filter(instance_id=action.instance_id, state=OperatorAction.State.DONE)
    if action.task_id:
        done = done.filter(task_id__in=[action.task_id, ""])
    last = done.order_by("-decided_at").first()
    now = current_store().now()
    if last is None or last.decided_at is None or last.act not in _DONE or now - last.decided_at > _FRESH:
        return None
    return text(_DONE[last.act], actor=last.actor, ago=ago(last.decided_at, now=now))
