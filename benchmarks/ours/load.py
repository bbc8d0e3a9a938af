"""Requests over kept connections, one at a time on each: the cheapest load a Python process can make."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Final

LENGTH: Final = b"content-length:"
LAST_CHUNK: Final = b"\r\n0\r\n\r\n"  # where the length was not known before


def requests_a_second(
    port: int, path: str, body: bytes, headers: Mapping[str, str], *, connections: int, seconds: float, expected: int
) -> float:
    """POSTs answered a second. Raises RuntimeError at the first answer with another status."""
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    request = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n{head}"
        f"Content-Length: {len(body)}\r\n\r\n"
    ).encode() + body
    return asyncio.run(_load(port, request, connections, seconds, f" {expected} ".encode()))


async def _load(port: int, request: bytes, connections: int, seconds: float, expected: bytes) -> float:
    started = time.perf_counter()
    deadline = started + seconds
    counts = await asyncio.gather(*[_one(port, request, deadline, expected) for _ in range(connections)])
    return sum(counts) / (time.perf_counter() - started)


async def _one(port: int, request: bytes, deadline: float, expected: bytes) -> int:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**22)
    count = 0
    try:
        while time.perf_counter() < deadline:
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            lower = head.lower()
            at = lower.find(LENGTH)
            if at >= 0:
                body = await reader.readexactly(int(lower[at + len(LENGTH) :].split(b"\r\n", 1)[0]))
            else:
                body = await reader.readuntil(LAST_CHUNK)
            if expected not in head.split(b"\r\n", 1)[0]:
                raise RuntimeError(f"answered {head[:80]!r} {body[:300]!r}")
            count += 1
    finally:
        writer.close()
    return count
