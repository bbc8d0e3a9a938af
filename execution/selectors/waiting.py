"""Why an instance seems to stand still, and the case that it waits for a target."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from disttask_project.kernel.messages import Message
from execution.models import Instance
from execution.selectors.targets import find_target, is_shut, words_of
from execution.target_models import Parked


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """Why nothing seems to happen. `code` is stable; `needs_person` where nothing will without one."""

    code: str
    message: Message
    until: datetime | None = None
    task_ids: Sequence[str] = ()
    needs_person: bool = False


def why_parked(instance: Instance, *, now: datetime) -> Waiting | None:
    """It was given back because a target takes nothing for now."""
    row = Parked.objects.filter(instance_id=instance.pk, until__gt=now).first()
    if row is None or row.until != instance.wake_at or instance.owner:
        return None
    view = find_target(row.target_id, now=now)
    if view is None:
        return None
    until = view.until if is_shut(view) else row.until if row.code == "limit" else None
    code = "breaker_open" if row.code == "breaker" else "target_limit"
    return Waiting(
        code=code,
        message=words_of(view, row.code),
        until=until,
        task_ids=[row.task_id],
        needs_person=view.forced == "open" and until is None,
    )
