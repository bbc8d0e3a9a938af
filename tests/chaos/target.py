"""An HTTP target that keeps a ledger: every effect with whether its attempt row was there when it came."""

from __future__ import annotations

import asyncio
import json
import os
import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

ANSWER = b'{"applied":true}'
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(ANSWER)


class LedgerTarget:
    """`seen(key)` looks the attempt row up on receipt. The ledger is a file, synced before the answer goes out."""

    def __init__(self, ledger: Path, *, seen: Callable[[str], bool], slowest: float) -> None:
        self._path = ledger
        self._seen = seen
        self._slowest = slowest
        self._file = ledger.open("ab")
        self._random = random.Random(7)
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        # One look at the database at a time: the target must not be what is tested.
        self._looks = ThreadPoolExecutor(1)
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self.port = 0

    def start(self) -> None:
        self._thread.start()
        self._ready.wait(10)

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._end)
        self._thread.join(10)
        self._looks.shutdown()
        self._file.close()

    def _end(self) -> None:
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.call_later(0.1, self._loop.stop)

    def entries(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self._path.read_text().splitlines()]

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(asyncio.start_server(self._connection, "127.0.0.1", 0))
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        self._loop.run_forever()

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                headers = dict(
                    line.lower().split(": ", 1) for line in head.decode("latin-1").split("\r\n")[1:] if ": " in line
                )
                await reader.readexactly(int(headers.get("content-length", "0")))
                await self._effect(_key(head))
                await asyncio.sleep(self._random.random() * self._slowest)
                writer.write(HEAD + ANSWER)
                await writer.drain()
        except (asyncio.IncompleteReadError, asyncio.CancelledError, ConnectionError):
            writer.close()

    async def _effect(self, key: str) -> None:
        seen = await self._loop.run_in_executor(self._looks, self._seen, key)
        line = json.dumps({"key": key, "seen": seen, "at": time.time()}) + "\n"
        self._file.write(line.encode())
        self._file.flush()
        os.fsync(self._file.fileno())


def _key(head: bytes) -> str:
    """The header as it was sent: keys differ by case."""
    for line in head.decode("latin-1").split("\r\n"):
        name, _, value = line.partition(": ")
        if name.lower() == "idempotency-key":
            return value.strip('"')
    return ""
