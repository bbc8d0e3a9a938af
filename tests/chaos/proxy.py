"""A TCP proxy before a database server, in a process of its own, that cuts connections when told to.

It reads no protocol but one word: a chunk from the client that holds COMMIT is forwarded, and then, by chance, the
connection is cut before the answer comes back. So the server commits and nobody is told.
"""

from __future__ import annotations

import asyncio
import random
from pathlib import Path
from typing import Final

CHUNK: Final = 65536


class Proxy:
    """Forks are to call `run`. `cuts` gets a line for each lost answer; `share` of all commits lose theirs."""

    def __init__(self, *, port: int, server: int, share: float, cuts: Path) -> None:
        self._port = port
        self._server = server
        self._share = share
        self._cuts = cuts
        self._random = random.Random()

    def run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        listener = await asyncio.start_server(self._connection, "127.0.0.1", self._port, backlog=256)
        await listener.serve_forever()

    async def _connection(self, client: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        try:
            server, forth = await asyncio.open_connection("127.0.0.1", self._server)
        except OSError:
            back.close()
            return
        answers = asyncio.create_task(_pump(server, back))
        try:
            while data := await client.read(CHUNK):
                lose = _commits(data) and self._random.random() < self._share
                if lose:
                    answers.cancel()  # before the commit leaves: its answer must not slip through
                forth.write(data)
                await forth.drain()
                if lose:
                    await self._lose(server)
                    return
        except OSError:
            return
        finally:
            answers.cancel()
            forth.close()
            back.transport.abort()

    async def _lose(self, server: asyncio.StreamReader) -> None:
        """Until the server has answered, or is busy with it for longer than anybody waits."""
        try:
            await asyncio.wait_for(server.read(CHUNK), 5)
        except (TimeoutError, OSError):
            return
        with self._cuts.open("a") as file:
            file.write("cut\n")


def _commits(data: bytes) -> bool:
    """Our own statement, or that of MySQL's client library: a packet of the word alone."""
    return b"COMMIT" in data or data[4:] == b"\x03commit"


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    try:
        while data := await source.read(CHUNK):
            sink.write(data)
            await sink.drain()
    except OSError:
        return
    finally:
        sink.close()
