"""Our own side of a run: the database emptied, the workload's flow in it, the hosts started and warm."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import django
from django.conf import settings
from django.core.management import call_command
from django.db import connection, connections

ROOT: Final = Path(__file__).resolve().parent.parent.parent
EMPTIED: Final = ("execution_", "retries_", "django_q_")
WARM_BATCH: Final = 1_000
FRESH: Final = timedelta(seconds=2)


def set_up() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "disttask_project.settings")
    django.setup()


def migrate() -> None:
    call_command("migrate", verbosity=0, interactive=False)


def empty_store() -> None:
    """Every table of the engine and of the queue; the schema is made where there is none."""
    migrate()
    tables = [name for name in connection.introspection.table_names() if name.startswith(EMPTIED)]
    with connection.cursor() as cursor:
        if connection.vendor == "mysql":
            cursor.execute("SET FOREIGN_KEY_CHECKS = 0")
            for table in tables:
                cursor.execute(f"TRUNCATE TABLE {table}")
            cursor.execute("SET FOREIGN_KEY_CHECKS = 1")
        else:
            cursor.execute(f"TRUNCATE TABLE {', '.join(tables)} CASCADE")


def flow_of(workload: str) -> str:
    """The id of the workload's flow, made or brought up to date."""
    from benchmarks.workloads import definition

    return save_flow(definition(workload))


def save_flow(document: dict[str, Any]) -> str:
    from disttask_project.kernel.actor import system_actor
    from flows.models import Flow
    from flows.services import create_flow, save_version

    actor = system_actor("bench")
    known = Flow.objects.filter(live_name=document["name"]).first()
    if known is None:
        return str(create_flow(definition=document, actor=actor).pk)
    save_version(flow_id=known.pk, definition=document, actor=actor)
    return str(known.pk)


class Hosts:
    """`runcluster` with as many sessions as processes are asked for, or so many `runengine`.

    Several clusters share one database as clusters on several machines would: each has a home of its own.
    """

    def __init__(self, *, kind: str, processes: int, clusters: int = 1) -> None:
        self.processes = processes
        copies = clusters if kind == "runcluster" else processes
        self._log = (settings.HOME / "hosts.log").open("ab")
        # One worker of a cluster stays free for the canary.
        workers = str(max(2, processes // clusters + 1))
        self._children = [self._start(kind, number, workers) for number in range(copies)]

    def _start(self, command: str, number: int, workers: str) -> subprocess.Popen[bytes]:
        home = settings.HOME / f"host-{number}"
        home.mkdir(exist_ok=True)
        return subprocess.Popen(
            [sys.executable, "manage.py", command],
            cwd=ROOT,
            env={**os.environ, "DISTTASK_HOME": str(home), "DISTTASK_ENGINE_WORKERS": workers},
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
        )

    def check(self) -> None:
        for child in self._children:
            if child.poll() is not None:
                raise RuntimeError(f"a host ended with {child.returncode}; see {self._log.name}")

    def stop(self) -> None:
        for child in self._children:
            child.send_signal(signal.SIGTERM)
        for child in self._children:
            try:
                child.wait(20)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
        self._log.close()


def wait_for(holds: Callable[[], bool], *, within: float, every: float, hosts: Hosts | None = None) -> None:
    deadline = time.monotonic() + within
    while not holds():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{holds.__name__} did not come true within {within:g} s")
        if hosts is not None:
            hosts.check()
        time.sleep(every)


def warm_up(hosts: Hosts, flow_id: str, *, few: int) -> None:
    """No-ops until every session is awake, as a backlog wakes them; then a few of the workload itself."""
    from execution.models import EngineSession

    idle = flow_of("W3")

    def all_awake() -> bool:
        awake = EngineSession.objects.filter(state="running", heartbeat_at__gt=_now() - FRESH).count()
        if awake >= hosts.processes:
            return True
        if not has_due(idle, more_than=WARM_BATCH):
            submit(idle, WARM_BATCH)
        return False

    wait_for(all_awake, within=60, every=0.1, hosts=hosts)
    submit(flow_id, few)
    wait_ended(idle, hosts=hosts, within=60)
    wait_ended(flow_id, hosts=hosts, within=60)


def submit(flow_id: str, count: int, *, batch: int = 200) -> None:
    """In process and in bulk, as an application that embeds us would."""
    from benchmarks.workloads import PARAMS
    from disttask_project.kernel.actor import system_actor
    from execution.services.start import Start, start_instances

    actor = system_actor("bench")
    for first in range(0, count, batch):
        starts = [
            Start(flow_id=flow_id, params={**PARAMS, "order": n}) for n in range(first, min(count, first + batch))
        ]
        for answer in start_instances(starts=starts, actor=actor):
            if isinstance(answer, Exception):
                raise answer


def wait_ended(flow_id: str, *, hosts: Hosts | None = None, within: float = 240) -> None:
    def all_ended() -> bool:
        return not has_due(flow_id)

    wait_for(all_ended, within=within, every=0.03, hosts=hosts)


def has_due(flow_id: str, *, more_than: int = 0) -> bool:
    """More than so many instances of the flow have somebody to look at them: one look into the claim's index."""
    from execution.models import Instance

    waiting = Instance.objects.filter(flow_id=flow_id, wake_at__isnull=False).order_by()
    return len(waiting.values_list("wake_at")[: more_than + 1]) > more_than


def count_wrong(flow_id: str) -> int:
    from execution.models import Instance

    return Instance.objects.filter(flow_id=flow_id).exclude(status="success").count()


def shares_of_sessions() -> list[float]:
    """How the attempts of all instances fall on the sessions that made them, the busiest first."""
    from django.db.models import Count

    from execution.models import Attempt

    counts = Attempt.objects.order_by().values("worker").annotate(made=Count("id")).values_list("made", flat=True)
    total = sum(counts)
    return sorted((round(made / total, 3) for made in counts), reverse=True)


def stored_bytes() -> int:
    """What the engine's tables take, indexes included."""
    with connection.cursor() as cursor:
        if connection.vendor == "mysql":
            cursor.execute(
                "SELECT SUM(data_length + index_length) FROM information_schema.tables "
                "WHERE table_schema = DATABASE() AND table_name LIKE 'execution%'"
            )
        else:
            cursor.execute(
                "SELECT SUM(pg_total_relation_size(oid)) FROM pg_class "
                "WHERE relkind = 'r' AND relname LIKE 'execution%'"
            )
        return int(cursor.fetchone()[0])


def queue_messages() -> int:
    """How many messages the queue has carried so far: the number a new one gets."""
    from django_q.models import OrmQ

    probe = OrmQ.objects.create(key="bench-probe", payload="", lock=_now() + timedelta(days=1))
    number = int(probe.pk)
    probe.delete()
    return number


def _now() -> datetime:
    from django.utils import timezone

    return timezone.now()


def close() -> None:
    connections.close_all()
