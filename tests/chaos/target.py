"""Fake targets in a process of their own: a ledger synced before each answer, the attempt row looked up on receipt.

`/keyed` and `/rpc` honour the key, `/plain` does not; `/slow`, `/fail` and `/dead` behave as they are called. A
receipt counts as seen if the store holds at least as many attempts under its key as the target has had calls.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from django.db import DatabaseError, close_old_connections, connections
from django.db.models import Count, Max, Q

from execution.models import Attempt

HONOURING: Final = ("/keyed", "/rpc", "/slow", "/dead")


@dataclass(slots=True)
class Receipt:
    key: str
    path: str
    at: float
    done: asyncio.Future[None]
    applied: bool = True
    seen: str = ""  # seen, unseen, away (the store did not answer)
    worker: str = ""


@dataclass(slots=True)
class Mood:
    """What the harness asks of the target through `POST /mood`."""

    slowest: float = 0.05
    fail: float = 0.0  # share answered 503
    down: bool = False  # everything is answered 503
    kill_when: str = ""  # receive, applied, answered
    kill_in: int = 0
    kill_of: int = 0  # parent of the processes that may be killed
    kill_path: str = ""  # only calls of this path
    kill_again: bool = False  # not only once


@dataclass(slots=True)
class Ledger:
    """What has happened, one line each, on the disk before anybody hears of it."""

    path: Path
    calls: Counter[str] = field(default_factory=Counter)

    def note(self, receipts: list[Receipt]) -> None:
        """On the target's one thread: look up, write, sync. One transaction of the outside world each."""
        for each in receipts:
            each.applied = self.calls[each.key] == 0 or each.path not in HONOURING
            self.calls[each.key] += 1
        rows = self._rows([each.key for each in receipts])
        with self.path.open("ab") as file:
            for each in receipts:
                count, worker = (rows or {}).get(each.key, (0, ""))
                worker = worker or ""
                each.worker = worker
                each.seen = "away" if rows is None else "seen" if count >= self.calls[each.key] else "unseen"
                file.write(_line(each, self.calls[each.key]))
            file.flush()
            os.fsync(file.fileno())

    def _rows(self, keys: list[str]) -> Mapping[str, tuple[int, str]] | None:
        try:
            close_old_connections()
            found = (
                Attempt.objects.filter(key__in=keys)
                .order_by()
                .values("key")
                .annotate(count=Count("id"), worker=Max("worker", filter=Q(status="started")))
            )
            return {row["key"]: (row["count"], row["worker"]) for row in found}
        except DatabaseError:
            connections.close_all()
            return None


def _line(receipt: Receipt, number: int) -> bytes:
    said: dict[str, Any] = {
        "key": receipt.key,
        "path": receipt.path,
        "at": receipt.at,
        "call": number,
        "applied": receipt.applied,
        "seen": receipt.seen,
    }
    return json.dumps(said).encode() + b"\n"


class Target:
    """Serves until the process is ended."""

    def __init__(self, ledger: Path, port: int) -> None:
        self._ledger = Ledger(ledger)
        self._kills = ledger.with_name("target-kills")
        self._port = port
        self._mood = Mood()
        self._random = random.Random(7)
        self._waiting: list[Receipt] = []
        self._thread = ThreadPoolExecutor(1)
        self._running = Counter[str]()
        self._most = Counter[str]()

    def run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._wake = asyncio.Event()
        await asyncio.start_server(self._connection, "127.0.0.1", self._port, backlog=512)
        while True:
            await self._wake.wait()
            self._wake.clear()
            some, self._waiting = self._waiting, []
            await self._loop.run_in_executor(self._thread, self._ledger.note, some)
            for each in some:
                each.done.set_result(None)

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                path = head.split(" ", 2)[1].partition("?")[0]
                body = await reader.readexactly(int(_header(head, "content-length") or 0))
                await self._answer(path, _header(head, "idempotency-key").strip('"'), body, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def _answer(self, path: str, key: str, body: bytes, writer: asyncio.StreamWriter) -> None:
        if path == "/mood":
            self._mood = Mood(**json.loads(body))
            await _send(writer, 200, {"most": dict(self._most)})
        elif self._mood.down or self._random.random() < self._mood.fail:
            await _send(writer, 503, {"applied": False})
        else:
            await self._effect(Receipt(key, path, time.time(), self._loop.create_future()), writer)

    async def _effect(self, receipt: Receipt, writer: asyncio.StreamWriter) -> None:
        path, slowest = receipt.path, self._mood.slowest
        self._running[path] += 1
        self._most[path] = max(self._most[path], self._running[path])
        try:
            self._waiting.append(receipt)
            self._wake.set()
            await receipt.done
            self._kill("applied", receipt)
            await asyncio.sleep(self._random.random() * slowest + (1.0 if path == "/slow" else 0.0))
        finally:
            self._running[path] -= 1
        await _send(writer, 200, {"applied": receipt.applied, "code": 0})
        self._kill("answered", receipt)

    def _kill(self, when: str, receipt: Receipt) -> None:
        """End the process that made this call, by the pid in its attempt row: the arena's own children only."""
        mood = self._mood
        if mood.kill_when != when or not receipt.worker or mood.kill_path not in ("", receipt.path):
            return
        mood.kill_in -= 1
        if mood.kill_in > 0:
            return
        if not mood.kill_again:
            mood.kill_when = ""
        pid = int(receipt.worker.split(":")[1])
        if _parent(pid) == mood.kill_of:
            with self._kills.open("a") as file:
                file.write(f"{pid} target.{when}\n")
            os.kill(pid, signal.SIGKILL)


async def _send(writer: asyncio.StreamWriter, status: int, said: Mapping[str, Any]) -> None:
    body = json.dumps(said).encode()
    reason = {200: "OK", 503: "Service Unavailable"}[status]
    head = f"HTTP/1.1 {status} {reason}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    writer.write(head.encode() + body)
    await writer.drain()


def _header(head: str, wanted: str) -> str:
    """The value as it was sent: keys differ by case."""
    for line in head.split("\r\n")[1:]:
        name, _, value = line.partition(": ")
        if name.lower() == wanted:
            return value
    return ""


def _parent(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


def entries(ledger: Path) -> list[dict[str, Any]]:
    if not ledger.exists():
        return []
    return [json.loads(line) for line in ledger.read_text().splitlines()]
