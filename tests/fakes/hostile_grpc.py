"""A gRPC target that misbehaves on the wire, frame by frame (`HostileGrpc(way)`), whatever method is called.

HTTP/2 by hand: no library would send what is wanted here. Headers are HPACK literals without indexing.
"""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = 0, 1, 3, 4, 6, 7, 8, 9
END_STREAM, END_HEADERS, ACK = 1, 4, 1
_PREFACE = 24
_OK = {":status": "200", "content-type": "application/grpc"}


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return struct.pack(">I", len(payload))[1:] + bytes((kind, flags)) + struct.pack(">I", stream) + payload


def block(headers: dict[str, str]) -> bytes:
    """Headers of at most 126 bytes each."""
    coded = b""
    for name, value in headers.items():
        coded += b"\x00" + bytes((len(name),)) + name.encode() + bytes((len(value),)) + value.encode()
    return coded


def message(raw: bytes, *, packed: int = 0, length: int | None = None) -> bytes:
    return struct.pack(">BI", packed, len(raw) if length is None else length) + raw


@dataclass
class HostileGrpc:
    """`calls` counts the requests that came whole."""

    way: str
    calls: int = 0
    port: int = 0
    _stopped: threading.Event = field(default_factory=threading.Event)
    _open: set[socket.socket] = field(default_factory=set)

    def __enter__(self) -> HostileGrpc:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._stopped.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for sock in list(self._open):
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        self._thread.join(5)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def _accept(self) -> None:
        while not self._stopped.is_set():
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            self._open.add(sock)
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock: socket.socket) -> None:
        answer: Callable[[socket.socket, int], bool | None] = getattr(self, f"_do_{self.way}")
        try:
            _exactly(sock, _PREFACE)
            sock.sendall(frame(SETTINGS, 0, 0))
            while True:
                kind, flags, stream, payload = _next(sock)
                if kind == SETTINGS and not flags & ACK:
                    sock.sendall(frame(SETTINGS, ACK, 0))
                elif kind == PING and not flags & ACK:
                    sock.sendall(frame(PING, ACK, 0, payload))
                elif kind in {DATA, HEADERS} and flags & END_STREAM:
                    self.calls += 1
                    if answer(sock, stream) is False:
                        break
        except OSError:
            pass
        finally:
            self._open.discard(sock)
            sock.close()

    def _trailers(self, sock: socket.socket, stream: int, **headers: str) -> None:
        """A status with nothing before it."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        sock.sendall(frame(HEADERS, END_HEADERS | END_STREAM, stream, block(_OK | named)))

    def _started(self, sock: socket.socket, stream: int, **headers: str) -> None:
        sock.sendall(frame(HEADERS, END_HEADERS, stream, block(_OK | headers)))

    def _ended(self, sock: socket.socket, stream: int) -> None:
        sock.sendall(frame(HEADERS, END_HEADERS | END_STREAM, stream, block({"grpc-status": "0"})))

    def _do_fine(self, sock: socket.socket, stream: int) -> None:
        self._started(sock, stream)
        sock.sendall(frame(DATA, 0, stream, message(b"")))
        self._ended(sock, stream)

    def _do_trailers_only_unavailable(self, sock: socket.socket, stream: int) -> None:
        self._trailers(sock, stream, grpc_status="14", grpc_message="busy")

    def _do_forged_unavailable(self, sock: socket.socket, stream: int) -> None:
        """The library's own words for: nothing was sent."""
        self._trailers(sock, stream, grpc_status="14", grpc_message="failed to connect to all addresses; last error: x")

    def _do_trailers_only_ok(self, sock: socket.socket, stream: int) -> None:
        self._trailers(sock, stream, grpc_status="0")

    def _do_trailers_only_refused(self, sock: socket.socket, stream: int) -> None:
        self._trailers(sock, stream, grpc_status="3", grpc_message="no")

    def _do_no_such_status(self, sock: socket.socket, stream: int) -> None:
        self._trailers(sock, stream, grpc_status="99")

    def _do_no_status(self, sock: socket.socket, stream: int) -> None:
        self._started(sock, stream)
        sock.sendall(frame(DATA, END_STREAM, stream, message(b"")))

    def _do_two_messages(self, sock: socket.socket, stream: int) -> None:
        self._started(sock, stream)
        sock.sendall(frame(DATA, 0, stream, message(b"") * 2))
        self._ended(sock, stream)

    def _do_silent(self, _sock: socket.socket, _stream: int) -> None:
        return None

    def _do_half_a_message(self, sock: socket.socket, stream: int) -> bool:
        self._started(sock, stream)
        sock.sendall(frame(DATA, 0, stream, message(b"abc", length=999)))
        return False

    def _do_fifty_megabytes(self, sock: socket.socket, stream: int) -> None:
        self._started(sock, stream)
        sock.sendall(frame(DATA, 0, stream, message(bytes(1_000), length=50_000_000)))

    def _do_packed_unannounced(self, sock: socket.socket, stream: int) -> None:
        self._started(sock, stream)
        sock.sendall(frame(DATA, 0, stream, message(b"\x1f\x8b\x08\x00junk", packed=1)))
        self._ended(sock, stream)

    def _do_goaway(self, sock: socket.socket, _stream: int) -> bool:
        sock.sendall(frame(GOAWAY, 0, 0, struct.pack(">II", 0, 0) + b"moving"))
        return False

    def _do_goaway_then_answer(self, sock: socket.socket, stream: int) -> None:
        sock.sendall(frame(GOAWAY, 0, 0, struct.pack(">II", stream, 0)))
        self._do_fine(sock, stream)

    def _do_enhance_your_calm(self, sock: socket.socket, _stream: int) -> bool:
        sock.sendall(frame(GOAWAY, 0, 0, struct.pack(">II", 0, 11) + b"too_many_pings"))
        return False

    def _reset(self, sock: socket.socket, stream: int, code: int) -> None:
        sock.sendall(frame(RST_STREAM, 0, stream, struct.pack(">I", code)))

    def _do_reset_internal(self, sock: socket.socket, stream: int) -> None:
        self._reset(sock, stream, 2)

    def _do_reset_refused(self, sock: socket.socket, stream: int) -> None:
        self._reset(sock, stream, 7)

    def _do_reset_cancel(self, sock: socket.socket, stream: int) -> None:
        self._reset(sock, stream, 8)

    def _do_reset_calm(self, sock: socket.socket, stream: int) -> None:
        self._reset(sock, stream, 11)

    def _do_reset_insecure(self, sock: socket.socket, stream: int) -> None:
        self._reset(sock, stream, 12)

    def _do_http_503(self, sock: socket.socket, stream: int) -> None:
        headers = {":status": "503", "content-type": "text/html"}
        sock.sendall(frame(HEADERS, END_HEADERS, stream, block(headers)))
        sock.sendall(frame(DATA, END_STREAM, stream, b"<html>"))

    def _do_closed(self, _sock: socket.socket, _stream: int) -> bool:
        return False

    def _do_garbage(self, sock: socket.socket, _stream: int) -> bool:
        sock.sendall(b"\xff" * 4_000)
        return False

    def _do_header_flood(self, sock: socket.socket, stream: int) -> None:
        piece = block({"x-a": "v" * 120}) * 100
        sock.sendall(frame(HEADERS, 0, stream, block(_OK)))
        while not self._stopped.is_set():
            sock.sendall(frame(CONTINUATION, 0, stream, piece))


def _exactly(sock: socket.socket, count: int) -> bytes:
    raw = b""
    while len(raw) < count:
        piece = sock.recv(count - len(raw))
        if not piece:
            raise ConnectionError
        raw += piece
    return raw


def _next(sock: socket.socket) -> tuple[int, int, int, bytes]:
    head = _exactly(sock, 9)
    length = int.from_bytes(head[:3], "big")
    return head[3], head[4], int.from_bytes(head[5:9], "big") & 0x7FFF_FFFF, _exactly(sock, length)
