"""The baseline: a durable engine as one would first write it. One queue message a task; every transition is a
transaction of its own through the ORM; the next message is written with the task's end."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from django.db import transaction
from django.utils import timezone
from django_q.brokers import get_broker
from django_q.tasks import async_task

from benchmarks.peers.calling import post
from benchmarks.peers.naive.models import Entry, Run, Step
from benchmarks.workloads import PARAMS, TASKS


@cache
def broker() -> Any:
    return get_broker()


def submit(workload: str) -> None:
    with transaction.atomic():
        run = Run.objects.create(workload=workload, params=json.dumps(PARAMS))
        async_task("benchmarks.peers.naive.engine.step", run.pk, 0, save=False, broker=broker())


def step(run_id: int, number: int) -> None:
    run = Run.objects.get(pk=run_id)
    if run.status == "done":
        return
    with transaction.atomic():
        if run.status == "new":
            Run.objects.filter(pk=run_id, status="new").update(status="running")
        row = Step.objects.create(
            run=run, name=f"t{number}", number=number, status="started", started_at=timezone.now()
        )
        Entry.objects.create(run=run, step=row, action="start")
    result = json.dumps(post() if run.workload == "W1" else {"ok": True})
    with transaction.atomic():
        row.status, row.result, row.ended_at = "success", result, timezone.now()
        row.save(update_fields=["status", "result", "ended_at"])
        Entry.objects.create(run=run, step=row, action="success", body=result)
        if number + 1 == TASKS[run.workload]:
            Run.objects.filter(pk=run_id).update(status="done", updated_at=timezone.now())
        else:
            async_task("benchmarks.peers.naive.engine.step", run_id, number + 1, save=False, broker=broker())


def noop() -> dict[str, bool]:
    return {"ok": True}
