"""Failure flows: what the engine asked for as instances ended is started here, once (flow-definition 1).

The request was written in the group that ended the instance, and the id of what it starts is derived from it: a crash
between any two steps leaves a request that is due, and starting it again is the same start. One that cannot be started
opens an exception and is tried again, ever more rarely, until somebody has mended the flow.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

import structlog
from django.db import transaction

from disttask_project.kernel.actor import Actor
from disttask_project.kernel.errors import DisttaskError, Unavailable
from disttask_project.kernel.json import clean_text
from disttask_project.kernel.messages import text
from execution.engine import closing, failing
from execution.engine.change import Change
from execution.engine.loading import current_store, failure_port
from execution.engine.state import TaskState
from execution.failure_models import FailureStart
from execution.services.faults import telling_store_faults
from execution.services.start import Start, Started, start_instances

log = structlog.get_logger(__name__)

BATCH: Final = 100
MOST_DEPTH: Final = 5  # failure flows of failure flows: two that name each other must come to an end
FIRST_WAIT: Final = 5.0
LONGEST_WAIT: Final = 600.0


def start_due(*, actor: Actor) -> int:
    """Start what is due, a batch at most; gives how many were started. Raises `Unavailable`."""
    with telling_store_faults():
        now = current_store().now()
        due = FailureStart.objects.filter(state="due", next_at__lte=now).order_by("next_at", "pk")
        rows = list(due[:BATCH])
        if not rows:
            return 0
        depths = _depths([row.pk for row in rows])
        ready = [row for row in rows if row.params is not None and depths.get(row.pk, 0) < MOST_DEPTH]
        with transaction.atomic():
            answers = _start(ready, actor)
            started = [row for row in ready if isinstance(answers[row.pk], Started)]
            for row in started:
                row.state, row.depth = "started", depths.get(row.pk, 0)
            FailureStart.objects.bulk_update(started, ["state", "depth"])
        for row in rows:
            _tell(row, answers.get(row.pk), depth=depths.get(row.pk, 0), now=now)
        return len(started)


def _depths(ids: Sequence[str]) -> Mapping[str, int]:
    """How many failure flows led to each of these: those that none did are left out."""
    made = FailureStart.objects.filter(child_id__in=ids).values_list("child_id", "depth")
    return {child: depth + 1 for child, depth in made}


def _start(rows: Sequence[FailureStart], actor: Actor) -> dict[str, Started | DisttaskError]:
    if not rows:
        return {}
    starts = [Start(flow_name=row.flow_name, params=row.params, instance_id=row.child_id) for row in rows]
    return dict(zip([row.pk for row in rows], start_instances(starts=starts, actor=actor), strict=True))


def _tell(row: FailureStart, answer: Started | DisttaskError | None, *, depth: int, now: datetime) -> None:
    """What became of a request, on its instance: an exception opens at the first refusal, and closes at the start."""
    if isinstance(answer, Started):
        log.info("failure_flow_started", instance_id=row.pk, started=answer.instance_id)
        if row.tries:
            _note(row, "", now)
        return
    if isinstance(answer, Unavailable):
        return  # asked again at the next turn
    wait: float | None = None
    if answer is not None:
        code, message = answer.symbol, str(answer)
        wait = min(LONGEST_WAIT, FIRST_WAIT * 2 ** min(row.tries, 10))
    elif row.params is None:
        code, message = row.code, str(text("Its parameters could not be made: {reason}", reason=row.message))
    else:
        code = "FAILURE_FLOW_CHAIN"
        message = str(text("Too many failure flows led here ({count}); this one is not started.", count=depth))
    row.state = "due" if wait is not None else "refused"
    row.next_at = None if wait is None else now + timedelta(seconds=wait)
    row.code, row.message, row.tries = code[:64], clean_text(message), row.tries + 1
    log.warning("failure_flow_refused", instance_id=row.pk, flow=row.flow_name, code=code)
    with transaction.atomic():
        if row.tries == 1:
            _note(row, code, now)
        row.save(update_fields=["state", "next_at", "code", "message", "tries"])


def _note(row: FailureStart, code: str, now: datetime) -> None:
    """A line in the instance's log, and its exception: opened with a code, closed without."""
    store = current_store()
    with transaction.atomic(), store.hold(row.pk, owner="following", now=now) as hold:
        if hold is None:
            return
        change = Change(hold.state, now=now, rng=random.Random(0), port=failure_port())  # noqa: S311  no retry is drawn
        told = {"flow": row.flow_name, "instance_id": row.child_id}
        if code:
            message = text("The failure flow {flow} was not started: {reason}", flow=row.flow_name, reason=row.message)
            closing.open_exception(change, type_="FailureFlow", code=code, message=message)
            change.log("failure_flow_refused", "", message, {**told, "code": code})
        else:
            failing.close_exception(change, TaskState(task_id=""), by="engine")
            change.log("failure_flow_started", "", "", told)
        unit = change.effects(release=True, wake_at=None).unit
        assert unit is not None, "a released step has a unit"
        hold.apply(unit)
