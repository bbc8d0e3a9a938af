"""Not a product: how fast this machine could go with the same durable rows, written in groups (G10).

Each process claims instances in batches, drives them on one loop and has one writer of multi-row statements. A task's
start is committed before its call leaves, its end before the next one starts (the two share a commit); every
transition has a log row. Nothing else is there: no graph, binding, leases, retries or attempts.

python -m benchmarks.ceiling W1 --processes 2 --count 4000
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import threading
import time
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

import aiohttp

from benchmarks.protocol import Gate
from benchmarks.workloads import PARAMS, TASKS, stub_url

CLAIM: Final = 50
IN_FLIGHT: Final = 200
LINGER: Final = 0.002
GROUP: Final = 512
SCHEMA: Final = """
CREATE TABLE ceiling_run (id {key}, status varchar(16), owner varchar(32), params text);
CREATE INDEX ceiling_run_status ON ceiling_run (status, id);
CREATE TABLE ceiling_task (id {key}, run bigint NOT NULL, number int NOT NULL, status varchar(16), result text,
    started varchar(32), ended varchar(32), UNIQUE (run, number));
CREATE TABLE ceiling_log (id {key}, run bigint NOT NULL, number int, action varchar(16), body text, at varchar(32));
CREATE INDEX ceiling_log_run ON ceiling_log (run)
"""
CLAIMED: Final = "SELECT id FROM ceiling_run WHERE status = 'new' ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED"
UPSERT: Final = {
    "mysql": " ON DUPLICATE KEY UPDATE status = VALUES(status), result = VALUES(result), ended = VALUES(ended)",
    "postgres": " ON CONFLICT (run, number) DO UPDATE SET status = excluded.status, result = excluded.result,"
    " ended = excluded.ended",
}


class Record(NamedTuple):
    """What one transition writes: a task's end, the next one's start, the end of the run."""

    run: int
    ended: tuple[int, str] | None
    started: int | None
    is_last: bool


def kind_of(url: str) -> str:
    return urlsplit(url).scheme


def connect(url: str) -> Any:
    parts = urlsplit(url)
    name = parts.path.removeprefix("/")
    if kind_of(url) == "mysql":
        import MySQLdb

        connection = MySQLdb.connect(host=parts.hostname, port=parts.port, user=parts.username, db=name)
        connection.autocommit(True)
        return connection
    import psycopg

    return psycopg.connect(host=parts.hostname, port=parts.port, user=parts.username, dbname=name, autocommit=True)


def prepare(url: str, count: int) -> None:
    key = "bigint AUTO_INCREMENT PRIMARY KEY" if kind_of(url) == "mysql" else "bigserial PRIMARY KEY"
    connection = connect(url)
    cursor = connection.cursor()
    for table in ("ceiling_log", "ceiling_task", "ceiling_run"):
        cursor.execute(f"DROP TABLE IF EXISTS {table}")
    for statement in SCHEMA.split(";"):
        cursor.execute(statement.format(key=key))
    params = json.dumps(PARAMS)
    for first in range(0, count, 500):
        _insert(cursor, "ceiling_run (status, params)", [("new", params)] * min(500, count - first))
    connection.close()


def _insert(cursor: Any, into: str, rows: Sequence[tuple[Any, ...]], more: str = "") -> None:
    if rows:
        places = "(" + ", ".join(["%s"] * len(rows[0])) + ")"
        values = [value for row in rows for value in row]
        cursor.execute(f"INSERT INTO {into} VALUES {', '.join([places] * len(rows))}{more}", values)


class Writer(threading.Thread):
    """One transaction a group: all records that are there, told to their callers after the commit."""

    def __init__(self, url: str) -> None:
        super().__init__(daemon=True)
        self._queue: SimpleQueue[tuple[Record, Callable[[], None]]] = SimpleQueue()
        self._cursor = connect(url).cursor()
        self._upsert = UPSERT[kind_of(url)]

    def put(self, record: Record, then: Callable[[], None]) -> None:
        self._queue.put((record, then))

    def run(self) -> None:
        while True:
            group = self._gather()
            self._write([record for record, _ in group])
            for _, then in group:
                then()

    def _gather(self) -> list[tuple[Record, Callable[[], None]]]:
        group = [self._queue.get()]
        until = time.perf_counter() + LINGER
        while len(group) < GROUP:
            wait = until - time.perf_counter()
            try:
                group.append(self._queue.get(timeout=wait) if wait > 0 else self._queue.get_nowait())
            except Empty:
                break
        return group

    def _write(self, records: Sequence[Record]) -> None:
        now = f"{time.time():.6f}"
        starts = [(each.run, each.started, "started", now) for each in records if each.started is not None]
        ends = [(each.run, each.ended[0], "success", each.ended[1], now) for each in records if each.ended]
        logs = [(run, number, "start", "", now) for run, number, _, _ in starts] + ends
        last = [each.run for each in records if each.is_last]
        cursor = self._cursor
        cursor.execute("BEGIN")
        _insert(cursor, "ceiling_task (run, number, status, started)", starts)
        _insert(cursor, "ceiling_task (run, number, status, result, ended)", ends, self._upsert)
        _insert(cursor, "ceiling_log (run, number, action, body, at)", logs)
        if last:
            cursor.execute(f"UPDATE ceiling_run SET status = 'done' WHERE id IN ({_places(last)})", last)
        cursor.execute("COMMIT")


def _places(values: Sequence[Any]) -> str:
    return ", ".join(["%s"] * len(values))


def claim(connection: Any, owner: str) -> list[int]:
    cursor = connection.cursor()
    cursor.execute("BEGIN")
    cursor.execute(CLAIMED, [CLAIM])
    ids = [row[0] for row in cursor.fetchall()]
    if ids:
        cursor.execute(
            f"UPDATE ceiling_run SET status = 'running', owner = %s WHERE id IN ({_places(ids)})", [owner, *ids]
        )
    cursor.execute("COMMIT")
    return ids


class Loop:
    """One process: claims, drives, writes, until nothing is new."""

    def __init__(self, url: str, workload: str, owner: str) -> None:
        self._tasks = TASKS[workload]
        self._calls = workload == "W1"
        self._owner = owner
        self._writer = Writer(url)
        self._connection = connect(url)
        self._told: list[asyncio.Future[None]] = []
        self._lock = threading.Lock()
        self._live = 0

    async def run(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._writer.start()
        running: set[asyncio.Task[None]] = set()
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=64)) as self._session:
            empty = 0
            while empty < 3 or self._live:
                if self._live > IN_FLIGHT - CLAIM:
                    await asyncio.sleep(0.001)
                    continue
                ids = await self._loop.run_in_executor(None, claim, self._connection, self._owner)
                if not ids:
                    empty += 1
                    await asyncio.sleep(0.005)
                self._live += len(ids)
                for run in ids:
                    task = self._loop.create_task(self._drive(run))
                    running.add(task)
                    task.add_done_callback(running.discard)

    async def _drive(self, run: int) -> None:
        await self._write(Record(run, None, 0, is_last=False))
        for number in range(self._tasks):
            result = await self._call()
            is_last = number + 1 == self._tasks
            await self._write(Record(run, (number, result), None if is_last else number + 1, is_last))
        self._live -= 1

    async def _call(self) -> str:
        if not self._calls:
            return '{"ok":true}'
        async with self._session.post(stub_url(), json=PARAMS) as answer:
            return json.dumps(await answer.json())

    async def _write(self, record: Record) -> None:
        future = self._loop.create_future()
        self._writer.put(record, lambda: self._tell(future))
        await future

    def _tell(self, future: asyncio.Future[None]) -> None:
        with self._lock:
            self._told.append(future)
            if len(self._told) > 1:
                return
        self._loop.call_soon_threadsafe(self._flush)

    def _flush(self) -> None:
        with self._lock:
            told, self._told = self._told, []
        for future in told:
            future.set_result(None)


def work(rank: int, url: str, workload: str, steps: Any) -> None:
    steps.wait()
    steps.wait()
    asyncio.run(Loop(url, workload, f"p{rank}").run())
    steps.wait()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("workload", choices=("W1", "W3"))
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--count", type=int, required=True)
    options = parser.parse_args()
    gate = Gate()
    url = os.environ["DISTTASK_DATABASE_URL"]
    prepare(url, options.count)
    context = multiprocessing.get_context("spawn")
    steps = context.Barrier(options.processes + 1)
    children = [
        context.Process(target=work, args=(rank, url, options.workload, steps)) for rank in range(options.processes)
    ]
    for child in children:
        child.start()
    steps.wait(60)
    gate.ready()
    started = time.perf_counter()
    steps.wait()
    steps.wait(240)
    seconds = time.perf_counter() - started
    cursor = connect(url).cursor()
    cursor.execute("SELECT count(*) FROM ceiling_run WHERE status <> 'done'")
    gate.done(seconds=seconds, wrong=cursor.fetchone()[0])
    for child in children:
        child.join(10)


if __name__ == "__main__":
    main()
