"""The naive engine, or plain django-q2 tasks (`--plain`), both on a django-q2 cluster with the ORM broker.

python -m benchmarks.peers.naive_flows W1 --count 300
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import django
from django.core.management import call_command
from django.db import connection

from benchmarks.protocol import Gate


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("workload", choices=("W1", "W3", "W4"))
    parser.add_argument("--count", type=int, required=True)
    parser.add_argument("--plain", action="store_true", help="W3 as one django-q2 task and no engine at all")
    options = parser.parse_args()
    os.environ["DJANGO_SETTINGS_MODULE"] = "benchmarks.peers.naive.settings"
    django.setup()
    gate = Gate()
    submit, ended = _sides(options.workload, plain=options.plain)
    cluster = subprocess.Popen([sys.executable, "-m", "django", "qcluster"], stdin=subprocess.DEVNULL)
    try:
        submit(0)
        _wait(lambda: ended() >= 1, 60)
        gate.ready()
        started = time.perf_counter()
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(submit, range(options.count)))
        submitted = time.perf_counter() - started
        _wait(lambda: ended() >= options.count + 1, 240)
        gate.done(seconds=time.perf_counter() - started, submit_seconds=submitted, wrong=0)
    finally:
        cluster.send_signal(signal.SIGTERM)
        try:
            cluster.wait(20)
        except subprocess.TimeoutExpired:
            cluster.kill()


def _sides(workload: str, *, plain: bool) -> tuple[Callable[[int], Any], Callable[[], int]]:
    """How to submit one, and how many have ended; the tables are made and empty."""
    from django_q.models import OrmQ, Task
    from django_q.tasks import async_task

    from benchmarks.peers.naive import engine
    from benchmarks.peers.naive.models import Entry, Run, Step

    call_command("migrate", run_syncdb=True, verbosity=0, interactive=False)
    for model in (Task, OrmQ, Entry, Step, Run):
        model.objects.all().delete()
    connection.close()
    if plain:
        return (
            lambda _number: async_task("benchmarks.peers.naive.engine.noop", broker=engine.broker()),
            Task.objects.count,
        )
    return lambda _number: engine.submit(workload), Run.objects.filter(status="done").count


def _wait(holds: Callable[[], bool], within: float) -> None:
    deadline = time.monotonic() + within
    while not holds():
        if time.monotonic() > deadline:
            raise TimeoutError("the queue did not get through its work")
        time.sleep(0.1)


if __name__ == "__main__":
    main()
