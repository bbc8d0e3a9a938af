"""DBOS on PostgreSQL: workflows called in process by threads, its fastest way (its queue gives the same rate).

python -m benchmarks.peers.dbos_flows W1 --processes 2 --threads 16 --count 800 [--latency]
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from dbos import DBOS

from benchmarks.peers.calling import post
from benchmarks.protocol import Gate
from benchmarks.workloads import TASKS, WIDTH

URL_VARIABLE = "DISTTASK_BENCH_PEER_DATABASE"


def launch(rank: int) -> dict[str, Callable[[int], Any]]:
    """DBOS started in this process; the workloads by name."""
    url = os.environ[URL_VARIABLE].replace("postgres://postgres@", "postgresql://postgres:none@")
    DBOS(
        config={
            "name": "bench",
            "system_database_url": url,
            "log_level": "ERROR",
            "executor_id": f"executor-{rank}",
            "application_version": "1",
            "sys_db_pool_size": 20,
        }
    )

    @DBOS.step()
    def call(_number: int) -> dict[str, Any]:
        return post()

    @DBOS.step()
    async def call_beside(_number: int) -> dict[str, Any]:
        return await asyncio.to_thread(post)

    @DBOS.step()
    def noop(number: int) -> dict[str, Any]:
        return {"ok": True, "number": number}

    @DBOS.workflow()
    def chain(_order: int) -> dict[str, Any]:
        call(1)
        call(2)
        return call(3)

    @DBOS.workflow()
    async def fan(_order: int) -> dict[str, Any]:
        await call_beside(0)
        await asyncio.gather(*[call_beside(number) for number in range(WIDTH)])
        return await call_beside(WIDTH + 1)

    @DBOS.workflow()
    def single(order: int) -> dict[str, Any]:
        return noop(order)

    @DBOS.workflow()
    def long_chain(order: int) -> int:
        for number in range(TASKS["W4"]):
            noop(number)
        return order

    DBOS.launch()
    return {
        "W1": chain,
        "W2": lambda order: DBOS.start_workflow(fan, order).get_result(),
        "W3": single,
        "W4": long_chain,
    }


def drive(rank: int, workload: str, count: int, threads: int, steps: Any) -> None:
    """One process: warm, then `count` workflows by so many threads."""
    run = launch(rank)[workload]
    run(0)
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(run, range(threads)))
        steps.wait()
        steps.wait()
        list(pool.map(run, range(count)))
        steps.wait()
    steps.wait()
    DBOS.destroy()


def measure_rate(gate: Gate, workload: str, *, count: int, threads: int, processes: int) -> None:
    context = multiprocessing.get_context("spawn")
    steps = context.Barrier(processes + 1)
    arguments = [(rank, workload, count // processes, threads, steps) for rank in range(processes)]
    children = [context.Process(target=drive, args=each) for each in arguments]
    for child in children:
        child.start()
    steps.wait(120)
    gate.ready()
    started = time.perf_counter()
    steps.wait()
    steps.wait(300)
    gate.done(seconds=time.perf_counter() - started, wrong=0)
    steps.wait()
    for child in children:
        child.join(20)


def measure_latency(gate: Gate, workload: str, *, count: int) -> None:
    run = launch(0)[workload]
    for order in range(10):
        run(order)
    gate.ready()
    taken = []
    started = time.perf_counter()
    for order in range(count):
        before = time.perf_counter()
        run(order)
        taken.append(time.perf_counter() - before)
        time.sleep(0.02)
    gate.done(seconds=time.perf_counter() - started, wrong=0, latencies_ms=[round(each * 1000, 3) for each in taken])
    DBOS.destroy()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("workload", choices=sorted(TASKS))
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--threads", type=int, default=16)
    parser.add_argument("--count", type=int, required=True)
    parser.add_argument("--latency", action="store_true")
    options = parser.parse_args()
    gate = Gate()
    if options.latency:
        measure_latency(gate, options.workload, count=options.count)
    else:
        measure_rate(gate, options.workload, count=options.count, threads=options.threads, processes=options.processes)


if __name__ == "__main__":
    main()
