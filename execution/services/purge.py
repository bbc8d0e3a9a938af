"""Retention: what has ended longer ago than an age is removed, in small transactions that stop nobody."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from disttask_project.audit.services import record
from disttask_project.kernel.actor import Actor
from disttask_project.kernel.clock import Clock, SystemClock
from disttask_project.kernel.errors import InvalidInput
from disttask_project.kernel.messages import text
from execution.repository import retention
from execution.services.faults import telling_store_faults

BATCH: Final = 500
PAUSE_SECONDS: Final = 0.05  # between batches: on SQLite others write meanwhile
LEAST_AGE: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Purged:
    """How much was removed, or would be."""

    instances: int
    others: dict[str, int] = field(default_factory=dict)


def _quiet(_removed: int) -> None:
    """Nobody wants to know how far it is."""


def purge(
    *,
    older_than: timedelta,
    actor: Actor,
    dry_run: bool = False,
    clock: Clock | None = None,
    progress: Callable[[int], None] = _quiet,
) -> Purged:
    """Remove closed instances that ended longer ago than `older_than`; `progress` hears of each batch."""
    if older_than < LEAST_AGE:
        raise InvalidInput(text("Purge spares what ended within the last hour: ask for an older age."))
    now = (clock or SystemClock()).now()
    moment = now - older_than
    rows = retention.ended_before(moment)
    if dry_run:
        return Purged(instances=rows.count())
    removed = 0
    with telling_store_faults():
        while ids := list(rows.values_list("pk", flat=True)[:BATCH]):
            count = retention.remove_instances(ids)
            removed += count
            progress(removed)
            if not count:  # all of the batch were reopened meanwhile: the next look would choose them again
                break
            time.sleep(PAUSE_SECONDS)
        others = retention.remove_leftovers(moment, now=now)
    record(
        actor=actor,
        act="purge",
        object_type="store",
        object_id="instances",
        after={"older_than_s": older_than.total_seconds(), "instances": removed, **others},
    )
    return Purged(instances=removed, others=others)
