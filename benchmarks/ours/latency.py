"""Our time for one flow at low load, from the start's call to the end as another process reads it from the store.

python -m benchmarks.ours.latency W1 --count 60
"""

from __future__ import annotations

import argparse
import random
import time

from django.db import connection

from benchmarks.ours import project
from benchmarks.protocol import Gate
from benchmarks.workloads import PARAMS

LOOK_EVERY = 0.001


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("workload")
    parser.add_argument("--host", default="runcluster", choices=("runcluster", "runengine"))
    parser.add_argument("--count", type=int, required=True)
    options = parser.parse_args()
    gate = Gate()
    project.set_up()
    project.empty_store()
    flow_id = project.flow_of(options.workload)
    hosts = project.Hosts(kind=options.host, processes=1)
    try:
        project.warm_up(hosts, flow_id, few=20)
        gate.ready()
        started = time.perf_counter()
        spread = random.Random(7)
        taken = []
        for _ in range(options.count):
            taken.append(_one(flow_id))
            time.sleep(spread.uniform(0.02, 0.06))
        gate.done(
            seconds=time.perf_counter() - started,
            wrong=project.count_wrong(flow_id),
            latencies_ms=[round(each * 1000, 3) for each in taken],
        )
    finally:
        hosts.stop()


def _one(flow_id: str) -> float:
    from disttask_project.kernel.actor import system_actor
    from execution.services.start import start_instance

    before = time.perf_counter()
    instance_id = start_instance(actor=system_actor("bench"), flow_id=flow_id, params=PARAMS).instance_id
    deadline = before + 30
    while time.perf_counter() < deadline:
        with connection.cursor() as cursor:
            cursor.execute("SELECT status FROM execution_instance WHERE id = %s", [instance_id])
            if cursor.fetchone()[0] == "success":
                return time.perf_counter() - before
        time.sleep(LOOK_EVERY)
    raise TimeoutError(f"{instance_id} did not end within 30 s")


if __name__ == "__main__":
    main()
