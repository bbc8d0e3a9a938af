"""Our flows a second at saturation: python -m benchmarks.ours.rate W1 --host runcluster --processes 2 --count 1500."""

from __future__ import annotations

import argparse
import time

from benchmarks.ours import project
from benchmarks.protocol import Gate


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("workload")
    parser.add_argument("--host", default="runcluster", choices=("runcluster", "runengine"))
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--count", type=int, required=True)
    parser.add_argument("--clusters", type=int, default=1, help="clusters that share the processes between them")
    parser.add_argument("--keep", action="store_true", help="leave what is in the store")
    options = parser.parse_args()
    gate = Gate()
    project.set_up()
    if not options.keep:
        project.empty_store()
    flow_id = project.flow_of(options.workload)
    hosts = project.Hosts(kind=options.host, processes=options.processes, clusters=options.clusters)
    try:
        project.warm_up(hosts, flow_id, few=20)
        messages = project.queue_messages()
        gate.ready()
        started = time.perf_counter()
        project.submit(flow_id, options.count)
        submitted = time.perf_counter() - started
        project.wait_ended(flow_id, hosts=hosts)
        seconds = time.perf_counter() - started
        gate.done(
            seconds=seconds,
            submit_seconds=submitted,
            wrong=project.count_wrong(flow_id),
            messages=project.queue_messages() - messages - 1,
            **_facts(options),
        )
    finally:
        hosts.stop()


def _facts(options: argparse.Namespace) -> dict[str, object]:
    """What only some runs are asked for: each costs a walk over the store."""
    if options.keep:
        from execution.models import Instance

        return {"stored_bytes_per_instance": round(project.stored_bytes() / Instance.objects.count())}
    if options.clusters > 1:
        return {"session_shares": project.shares_of_sessions()}
    return {}


if __name__ == "__main__":
    main()
