"""Rate of the engine alone, instances inserted before: python benchmarks/engine_rate.py W1|W2|W3|W4 [--count N].

W1 three http tasks in a chain, W2 one, ten in parallel, one, W3 one no-op, W4 a hundred no-ops in a chain.
The database is the configured one (DISTTASK_DATABASE_URL, DISTTASK_HOME) and is migrated; use one of its own.
Prints one JSON line: flows a second, statements a flow, CPU ms a flow of the engine's process.
"""

from __future__ import annotations

import argparse
import asyncio
import cProfile
import dataclasses
import json
import multiprocessing
import os
import pstats
import sys
import threading
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "disttask_project.settings")
os.environ.setdefault("DISTTASK_PROFILE", "test")

ANSWER = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 11\r\n\r\n{"ok":true}'


class Stub(asyncio.Protocol):
    """Answers every request with {"ok": true}: one read is one request, which holds for this client."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        if data.endswith(b"}"):
            self.transport.write(ANSWER)  # type: ignore[attr-defined]


def serve_stub(ready: multiprocessing.Queue[int]) -> None:
    async def main() -> None:
        server = await asyncio.get_running_loop().create_server(Stub, "127.0.0.1", 0)
        ready.put(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(main())


def workload(name: str, url: str) -> Any:
    from tests.fakes.flows import flow, task

    def call(id_: str, *after: str) -> Any:
        return task(id_, *after, type_="http", config={"url": url, "method": "POST"}, input={"order": 1, "amount": 42})

    if name == "W1":
        return flow("W1", call("a"), call("b", "a"), call("c", "b"))
    if name == "W2":
        middle = [call(f"m{number}", "a") for number in range(10)]
        return flow("W2", call("a"), *middle, call("z", *[each.id for each in middle]))
    if name == "W3":
        return flow("W3", task("a"))
    if name == "W4":
        return flow("W4", task("t0"), *[task(f"t{n}", f"t{n - 1}") for n in range(1, 100)])
    raise SystemExit(f"no workload {name}")


def drive(store: Any, done: threading.Event) -> None:
    from execution.engine.driver import Driver
    from execution.engine.hosting import Standalone
    from execution.engine.loading import failure_port, new_executors
    from execution.engine.settings import EngineSettings

    host = Standalone()

    def stop_when_done() -> None:
        done.wait()
        host.going = True

    threading.Thread(target=stop_when_done, daemon=True).start()
    driver = Driver(
        store=store,
        executors=new_executors(),
        port=failure_port(),
        settings=EngineSettings(),
        host=host,
        owner=f"bench-{os.getpid()}",
    )
    asyncio.run(driver.run())
    print(f"groups {driver._journal.groups} records {driver._journal.records}", file=sys.stderr)


def prepare(name: str, count: int, url: str) -> tuple[Any, str]:
    """The store with `count` instances of the workload in it, and the flow's id."""
    from django.core.management import call_command

    from execution.engine.loading import failure_port
    from execution.stores.sql.store import SqlStore
    from tests.fakes.flows import FlowShelf, rows

    call_command("migrate", verbosity=0)
    shelf = FlowShelf()
    prefix = f"{name}-{time.time_ns() // 1000:x}-"
    ids = shelf.put(dataclasses.replace(workload(name, url), name=prefix))
    store = SqlStore(compiled=shelf.compiled, tables=failure_port().tables)
    news = rows(count, ids, prefix=prefix, params={"order": 1})
    for start in range(0, count, 500):
        store.insert_instances(news[start : start + 500])
    return store, ids[0]


def measure(store: Any, flow_id: str, *, profiled: bool) -> tuple[float, float]:
    """Seconds until nothing is left to do, and CPU seconds of this process."""
    from django.db import connection

    from execution.models import Instance

    done = threading.Event()
    seconds: list[float] = []

    def watch() -> None:
        while Instance.objects.filter(flow_id=flow_id, wake_at__isnull=False).exists():
            time.sleep(0.05)
        seconds.append(time.monotonic() - started)
        done.set()
        connection.close()

    started, cpu = time.monotonic(), time.process_time()
    threading.Thread(target=watch, daemon=True).start()
    if profiled:
        profile = cProfile.Profile(time.thread_time)
        profile.runcall(drive, store, done)
        pstats.Stats(profile, stream=sys.stderr).sort_stats("tottime").print_stats(45)
    else:
        drive(store, done)
    return seconds[0], time.process_time() - cpu


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("workload")
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--profile", action="store_true", help="CPU of the loop's thread")
    options = parser.parse_args()
    ready: multiprocessing.Queue[int] = multiprocessing.Queue()
    stub = multiprocessing.get_context("fork").Process(target=serve_stub, args=(ready,), daemon=True)
    stub.start()
    url = f"http://127.0.0.1:{ready.get(timeout=10)}/"

    import django

    django.setup()
    from django.db import connection

    from execution.models import Instance

    store, flow_id = prepare(options.workload, options.count, url)
    before = statements(connection)
    seconds, cpu = measure(store, flow_id, profiled=options.profile)
    after = statements(connection)
    wrong = Instance.objects.filter(flow_id=flow_id).exclude(status="success").count()
    report = {
        "workload": options.workload,
        "store": connection.vendor,
        "count": options.count,
        "not_success": wrong,
        "flows_per_s": round(options.count / seconds, 1),
        "cpu_ms_per_flow": round(cpu * 1000 / options.count, 3),
        "statements_per_flow": round((after - before) / options.count, 3) if after else None,
    }
    print(json.dumps(report))
    stub.terminate()


def statements(connection: Any) -> int:
    with connection.cursor() as cursor:
        if connection.vendor == "mysql":
            cursor.execute("SHOW GLOBAL STATUS LIKE 'Questions'")
            return int(cursor.fetchone()[1])
    return 0


if __name__ == "__main__":
    main()
