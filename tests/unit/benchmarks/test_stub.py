"""The http target answers each request once, however the bytes arrive."""

from __future__ import annotations

import asyncio

import pytest

from benchmarks.ours.load import requests_a_second
from benchmarks.stub import ANSWER, Stub


def test_it_answers_requests_in_pieces_and_in_one_piece() -> None:
    async def talk() -> bytes:
        server = await asyncio.get_running_loop().create_server(Stub, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        request = b"POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\n12345"
        for part in (request[:20], request[20:43], request[43:] + request + request[:-1]):
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(0.02)
        answers = await reader.readexactly(2 * len(ANSWER))
        writer.close()
        server.close()
        return answers

    assert asyncio.run(talk()) == 2 * ANSWER


def test_the_load_counts_what_was_answered_as_expected() -> None:
    import threading

    ready: list[int] = []
    stop = threading.Event()

    async def serve() -> None:
        server = await asyncio.get_running_loop().create_server(Stub, "127.0.0.1", 0)
        ready.append(server.sockets[0].getsockname()[1])
        while not stop.is_set():
            await asyncio.sleep(0.02)
        server.close()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    while not ready:
        stop.wait(0.01)
    try:
        assert requests_a_second(ready[0], "/", b"{}", {}, connections=2, seconds=0.2, expected=200) > 0
        with pytest.raises(RuntimeError, match="200 OK"):
            requests_a_second(ready[0], "/", b"{}", {}, connections=1, seconds=0.2, expected=201)
    finally:
        stop.set()
        thread.join()
