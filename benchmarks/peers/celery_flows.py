"""Celery on Redis (not durable): prefork workers, late acknowledgement, results kept, JSON.

python -m benchmarks.peers.celery_flows W1 --workers 4 --count 600
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import time
from typing import Any, Final

from celery import Celery, chain, chord

from benchmarks.peers.calling import post
from benchmarks.protocol import Gate
from benchmarks.workloads import TASKS, WIDTH

WAIT: Final = 240

app = Celery("bench", broker=os.environ["DISTTASK_BENCH_REDIS"], backend=os.environ["DISTTASK_BENCH_REDIS"])
app.conf.update(
    task_acks_late=True,
    worker_prefetch_multiplier=4,
    task_serializer="json",
    result_serializer="json",
    broker_connection_retry_on_startup=True,
    task_track_started=True,
    result_expires=3600,
)


@app.task(name="bench.call")
def call(_number: int = 0) -> dict[str, Any]:
    return post()


@app.task(name="bench.noop")
def noop(_number: int = 0) -> dict[str, Any]:
    return {"ok": True}


@app.task(name="bench.join")
def join(_results: Any = None) -> dict[str, Any]:
    return post()


def signature(workload: str) -> Any:
    if workload == "W1":
        return chain(call.si(1), call.si(2), call.si(3))
    if workload == "W2":
        return chain(call.si(0), chord([call.si(number) for number in range(WIDTH)], join.s()))
    if workload == "W3":
        return noop.si(0)
    return chain(*[noop.si(number) for number in range(TASKS["W4"])])


def start_worker(workers: int) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "celery", "-A", "benchmarks.peers.celery_flows", "worker", "-P", "prefork"]
    options = ["-c", str(workers), "-l", "ERROR", "--without-gossip", "--without-mingle"]
    return subprocess.Popen([*command, *options], stdin=subprocess.DEVNULL)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("workload", choices=sorted(TASKS))
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--count", type=int, required=True)
    options = parser.parse_args()
    gate = Gate()
    app.control.purge()
    worker = start_worker(options.workers)
    try:
        for result in [signature(options.workload).apply_async() for _ in range(20)]:
            result.get(timeout=60)
        gate.ready()
        started = time.perf_counter()
        results = [signature(options.workload).apply_async() for _ in range(options.count)]
        submitted = time.perf_counter() - started
        for result in results:
            result.get(timeout=WAIT)
        gate.done(seconds=time.perf_counter() - started, submit_seconds=submitted, wrong=0)
    finally:
        worker.send_signal(signal.SIGTERM)
        worker.wait(20)


if __name__ == "__main__":
    main()
