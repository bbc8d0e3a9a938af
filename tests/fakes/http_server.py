"""A real HTTP target on a loopback socket; the path says how it behaves (any other path is as /ok).

`server.mode = "status/503"` makes every path behave so, until it is "" again.

    /ok                echo {"ok": true, "method", "path", "body"}
    /status/503        that status; `?retry_after=7` adds the header
    /slow/2.5          answers after so many seconds
    /drop              reads the request, then resets the connection
    /halfway           declares a long body and closes in the middle
    /redirect/307?to=URL  that status, 302 by itself
    /huge/1000000      a JSON string of so many bytes
    /bomb              10 MB of zeros in gzip
    /gzip              {"ok": true} in gzip
    /badjson           application/json that is none
    /html              a page
    /badutf8           text with broken UTF-8
    /garbage           no HTTP at all
    /trickle           one byte of the body a second, for ever
    /headers           never ends its headers
    /cookie            sets one
    /once              as /ok, counting by Idempotency-Key: {"applied": n} stays 1 for a key
    /echo              the request's headers as JSON
    /rpc               the http-json form of rpc: echoes {"status": "ok", "method", "params"}
"""

from __future__ import annotations

import asyncio
import gzip
import json
import socket
import ssl
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit


@dataclass(slots=True)
class Seen:
    """One request as the target received it."""

    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class HttpServer:
    """`with HttpServer() as target: target.url("/ok")`; `seen` lists what came, `connections` counts
    sockets.
    """

    host: str = "127.0.0.1"
    port: int = 0
    seen: list[Seen] = field(default_factory=list)
    connections: int = 0
    open_connections: int = 0
    applied: dict[str, int] = field(default_factory=dict)
    on_request: Callable[[Seen], None] | None = None
    mode: str = ""
    tls: ssl.SSLContext | None = None
    _loop: asyncio.AbstractEventLoop | None = None
    _thread: threading.Thread | None = None

    def url(self, path: str = "/ok") -> str:
        return f"http{'s' if self.tls else ''}://{self.host}:{self.port}{path}"

    @property
    def effects(self) -> int:
        """How many requests did something: one a key at `/once`."""
        return sum(self.applied.values())

    def __enter__(self) -> HttpServer:
        ready = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(ready,), daemon=True)
        self._thread.start()
        ready.wait(5)
        return self

    def __exit__(self, *_exc: object) -> None:
        assert self._loop is not None
        assert self._thread is not None
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)

    def _run(self, ready: threading.Event) -> None:
        loop = self._loop = asyncio.new_event_loop()
        asyncio.set_event_loop(loop)
        server = loop.run_until_complete(asyncio.start_server(self._connected, self.host, self.port, ssl=self.tls))
        self.port = server.sockets[0].getsockname()[1]
        ready.set()
        loop.run_forever()
        server.close()
        tasks = asyncio.all_tasks(loop)
        for task in tasks:
            task.cancel()
        loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.open_connections += 1
        try:
            ahead = b""
            while (request := await _read(reader, ahead)) is not None:
                ahead = b""
                self.seen.append(request)
                if self.on_request is not None:
                    self.on_request(request)
                answering = asyncio.ensure_future(self._answer(request, writer))
                watching = asyncio.ensure_future(reader.read(1))  # a client that goes away ends the wait
                await asyncio.wait({answering, watching}, return_when=asyncio.FIRST_COMPLETED)
                if not answering.done():
                    answering.cancel()
                    await asyncio.gather(answering, watching, return_exceptions=True)
                    break
                watching.cancel()
                await asyncio.gather(watching, return_exceptions=True)
                keep = answering.result()
                if not watching.cancelled() and watching.exception() is None:
                    ahead = watching.result()
                    keep = keep and bool(ahead)
                if not keep:
                    break
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            self.open_connections -= 1
            writer.close()

    async def _answer(self, request: Seen, writer: asyncio.StreamWriter) -> bool:
        """Answer; False closes the connection."""
        word, _, rest = (self.mode or request.path).strip("/").partition("/")
        behave = getattr(self, f"_do_{word}", self._do_ok)
        keep: bool = await behave(request, writer, rest)
        return keep

    async def _do_ok(self, request: Seen, writer: asyncio.StreamWriter, _rest: str) -> bool:
        body = request.body.decode("utf-8", "replace")
        await _send_json(
            writer, {"ok": True, "method": request.method, "path": request.path, "body": body}, request=request
        )
        return True

    async def _do_once(self, request: Seen, writer: asyncio.StreamWriter, _rest: str) -> bool:
        key = request.headers.get("idempotency-key", "")
        self.applied[key] = 1
        await _send_json(writer, {"applied": self.applied[key], "key": key})
        return True

    async def _do_echo(self, request: Seen, writer: asyncio.StreamWriter, _rest: str) -> bool:
        await _send_json(writer, {"headers": request.headers, "query": request.query})
        return True

    async def _do_rpc(self, request: Seen, writer: asyncio.StreamWriter, _rest: str) -> bool:
        await _send_json(writer, {"status": "ok", **request.json()})
        return True

    async def _do_status(self, request: Seen, writer: asyncio.StreamWriter, rest: str) -> bool:
        after = request.query.get("retry_after")
        extra = {"Retry-After": after[0]} if after else {}
        await _send_json(writer, {"error": rest}, status=int(rest), headers=extra)
        return True

    async def _do_slow(self, request: Seen, writer: asyncio.StreamWriter, rest: str) -> bool:
        await asyncio.sleep(float(rest or 1))
        return await self._do_ok(request, writer, "")

    async def _do_drop(self, _request: Seen, writer: asyncio.StreamWriter, _rest: str) -> bool:
        raw = writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()
        return False

    async def _do_halfway(self, _request: Seen, writer: asyncio.StreamWriter, _rest: str) -> bool:
        writer.write(b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 999\r\n\r\n{"a":')
        await writer.drain()
        return False

    async def _do_redirect(self, request: Seen, writer: asyncio.StreamWriter, rest: str) -> bool:
        await _send(
            writer, int(rest) if rest.isdigit() else 302, b"", {"Location": request.query.get("to", ["/ok"])[0]}
        )
        return True

    async def _do_huge(self, _request: Seen, writer: asyncio.StreamWriter, rest: str) -> bool:
        await _send(writer, 200, b'"' + b"a" * int(rest or 10_000_000) + b'"')
        return True

    async def _do_bomb(self, _request: Seen, writer: asyncio.StreamWriter, _rest: str) -> bool:
        await _send(writer, 200, gzip.compress(bytes(10_000_000)), {"Content-Encoding": "gzip"})
        return True

    async def _do_gzip(self, _request: Seen, writer: asyncio.StreamWriter, _rest: str) -> bool:
        await _send(writer, 200, gzip.compress(b'{"ok": true}'), {"Content-Encoding": "gzip"})
        return True

    async def _do_badjson(self, _request: Seen, writer: asyncio.StreamWriter, _rest: str) -> bool:
        await _send(writer, 200, b'{"a": NaN, "a": 1')
        return True

    async def _do_html(self, _request: Seen, writer: asyncio.StreamWriter, _rest: str) -> bool:
        await _send(writer, 200, b"<html>no</html>", content_type="text/html")
        return True

    async def _do_gbk(self, _request: Seen, writer: asyncio.StreamWriter, _rest: str) -> bool:
        body = json.dumps({"消息": "成功"}, ensure_ascii=False).encode("gbk")
        await _send(writer, 200, body, content_type="application/json; charset=GBK")
        return True

    async def _do_badutf8(self, _request: Seen, writer: asyncio.StreamWriter, _rest: str) -> bool:
        await _send(writer, 200, b"ab\xff\x00cd", content_type="text/plain")
        return True

    async def _do_garbage(self, _request: Seen, writer: asyncio.StreamWriter, _rest: str) -> bool:
        writer.write(b"\x00\x01\x02 not http\r\n\r\n")
        await writer.drain()
        return False

    async def _do_trickle(self, _request: Seen, writer: asyncio.StreamWriter, _rest: str) -> bool:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n")
        while True:
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.2)

    async def _do_headers(self, _request: Seen, writer: asyncio.StreamWriter, _rest: str) -> bool:
        writer.write(b"HTTP/1.1 200 OK\r\n")
        for number in range(100_000):
            writer.write(b"X-%d: %s\r\n" % (number, b"v" * 100))
            await writer.drain()
        return False

    async def _do_cookie(self, _request: Seen, writer: asyncio.StreamWriter, _rest: str) -> bool:
        await _send(writer, 200, b"{}", {"Set-Cookie": "session=abc; Path=/"})
        return True


async def _read(reader: asyncio.StreamReader, ahead: bytes) -> Seen | None:
    try:
        head = ahead + await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        return None
    first, *lines = head.decode("latin-1").split("\r\n")
    method, target, _ = first.split(" ")
    headers = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if colon:
            headers[name.strip().lower()] = value.strip()
    body = await _body(reader, headers)
    parts = urlsplit(target)
    return Seen(method, unquote(parts.path), parse_qs(parts.query, keep_blank_values=True), headers, body)


async def _body(reader: asyncio.StreamReader, headers: dict[str, str]) -> bytes:
    if headers.get("transfer-encoding") != "chunked":
        return await reader.readexactly(int(headers.get("content-length", "0")))
    body = b""
    while size := int((await reader.readline()).split(b";")[0], 16):
        body += (await reader.readexactly(size + 2))[:-2]
    await reader.readline()
    return body


async def _send(
    writer: asyncio.StreamWriter,
    status: int,
    body: bytes,
    headers: dict[str, str] | None = None,
    *,
    content_type: str = "application/json",
    head_only: bool = False,
) -> None:
    lines = [f"HTTP/1.1 {status} Reason", f"Content-Length: {len(body)}", f"Content-Type: {content_type}"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + (b"" if head_only else body))
    await writer.drain()


async def _send_json(
    writer: asyncio.StreamWriter,
    value: Any,
    *,
    status: int = 200,
    headers: dict[str, str] | None = None,
    request: Seen | None = None,
) -> None:
    head_only = request is not None and request.method == "HEAD"
    await _send(writer, status, json.dumps(value).encode(), headers, head_only=head_only)
