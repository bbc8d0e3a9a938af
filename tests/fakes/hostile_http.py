"""An HTTP target that misbehaves on the wire, byte by byte; the path names the way (`server.url("/flood_1xx")`).

Plain sockets and threads: no library stands between a fault and its victim. Every endless answer ends when the
client hangs up, and at the latest when the server is left.
"""

from __future__ import annotations

import gzip
import socket
import struct
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field

OK = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 11\r\n\r\n{"ok":true}'
_JSON = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
_BLOCK = b"x" * 65_536


@dataclass
class HostileServer:
    """`with HostileServer() as server`; `seen` holds the path of every request."""

    seen: list[str] = field(default_factory=list)
    pause: float = 0.3  # between the bytes of the slow ways
    port: int = 0
    _stopped: threading.Event = field(default_factory=threading.Event)
    _open: set[socket.socket] = field(default_factory=set)

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def __enter__(self) -> HostileServer:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
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

    def _accept(self) -> None:
        while not self._stopped.is_set():
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            self._open.add(sock)
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock: socket.socket) -> None:
        try:
            # Several requests on one connection, as a client that keeps it expects.
            while path := _read_request(sock):
                self.seen.append(path)
                way: Callable[[socket.socket], bool | None] = getattr(self, f"_do_{path.strip('/')}")
                if way(sock) is not True:
                    break
        except OSError:
            pass
        finally:
            self._open.discard(sock)
            sock.close()

    def _drip(self, sock: socket.socket, pieces: Iterator[bytes]) -> None:
        for piece in pieces:
            if self._stopped.wait(self.pause):
                return
            sock.sendall(piece)

    def _forever(self, sock: socket.socket, piece: bytes) -> None:
        while not self._stopped.is_set():
            sock.sendall(piece)

    def _do_ok(self, sock: socket.socket) -> bool:
        sock.sendall(OK)
        return True

    def _do_half_open(self, sock: socket.socket) -> None:
        sock.recv(1)  # until the client hangs up

    def _do_slow_body(self, sock: socket.socket) -> None:
        sock.sendall(_JSON + b"Content-Length: 9999\r\n\r\n")
        self._drip(sock, iter(lambda: b"x", b""))

    def _do_slow_headers(self, sock: socket.socket) -> None:
        sock.sendall(b"HTTP/1.1 200 OK\r\nX-A: ")
        self._drip(sock, iter(lambda: b"x", b""))

    def _do_endless_headers(self, sock: socket.socket) -> None:
        sock.sendall(b"HTTP/1.1 200 OK\r\n")
        for number in range(10_000_000):
            sock.sendall(b"X-%d: %s\r\n" % (number, _BLOCK[:100]))

    def _do_endless_header(self, sock: socket.socket) -> None:
        sock.sendall(b"HTTP/1.1 200 OK\r\nX-A: ")
        self._forever(sock, _BLOCK)

    def _do_ten_gigabytes(self, sock: socket.socket) -> None:
        sock.sendall(_JSON + b"Content-Length: 10000000000\r\n\r\n")
        self._forever(sock, _BLOCK)

    def _do_endless_chunks(self, sock: socket.socket) -> None:
        sock.sendall(_JSON + b"Transfer-Encoding: chunked\r\n\r\n")
        self._forever(sock, b"10000\r\n" + _BLOCK + b"\r\n")

    def _do_gzip_bomb(self, sock: socket.socket) -> None:
        packer = zlib.compressobj(9, zlib.DEFLATED, 31)
        sock.sendall(_JSON + b"Content-Encoding: gzip\r\nConnection: close\r\n\r\n")
        while not self._stopped.is_set():
            sock.sendall(packer.compress(bytes(1_000_000)) or b"")

    def _do_gzip_of_gzip(self, sock: socket.socket) -> None:
        body = gzip.compress(gzip.compress(bytes(20_000_000)))
        sock.sendall(_JSON + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))

    def _do_half_a_gzip(self, sock: socket.socket) -> None:
        body = gzip.compress(b'{"ok":true}' * 1_000)[:40]
        sock.sendall(_JSON + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))

    def _do_no_gzip(self, sock: socket.socket) -> None:
        sock.sendall(OK.replace(b"\r\n\r\n", b"\r\nContent-Encoding: gzip\r\n\r\n"))

    def _do_length_too_long(self, sock: socket.socket) -> None:
        sock.sendall(OK.replace(b"Length: 11", b"Length: 99"))

    def _do_length_too_short(self, sock: socket.socket) -> bool:
        sock.sendall(OK.replace(b"Length: 11", b"Length: 5"))
        return True

    def _do_two_lengths(self, sock: socket.socket) -> None:
        sock.sendall(OK.replace(b"\r\n\r\n", b"\r\nContent-Length: 5\r\n\r\n"))

    def _do_bad_length(self, sock: socket.socket) -> None:
        sock.sendall(OK.replace(b"Length: 11", b"Length: -11"))

    def _do_bad_chunk(self, sock: socket.socket) -> None:
        sock.sendall(_JSON + b'Transfer-Encoding: chunked\r\n\r\n5\r\n{"ok"\r\nzz\r\n:true}\r\n0\r\n\r\n')

    def _do_missing_chunk(self, sock: socket.socket) -> None:
        sock.sendall(_JSON + b'Transfer-Encoding: chunked\r\n\r\n5\r\n{"ok"\r\n')

    def _do_bad_utf8(self, sock: socket.socket) -> None:
        sock.sendall(OK.replace(b"true", b"\xff\xfe\x00\xc0"))

    def _do_html(self, sock: socket.socket) -> None:
        sock.sendall(OK.replace(b'{"ok":true}', b"<html></htm"))

    def _do_too_many(self, sock: socket.socket) -> None:
        sock.sendall(OK.replace(b"200 OK", b"429 Too Many\r\nRetry-After: 7"))

    def _redirect(self, sock: socket.socket, status: int) -> bool:
        sock.sendall(b"HTTP/1.1 %d Away\r\nLocation: /loop_%d\r\nContent-Length: 0\r\n\r\n" % (status, status))
        return True

    def _do_loop_302(self, sock: socket.socket) -> bool:
        return self._redirect(sock, 302)

    def _do_loop_307(self, sock: socket.socket) -> bool:
        return self._redirect(sock, 307)

    def _do_flood_1xx(self, sock: socket.socket) -> None:
        self._forever(sock, b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" * 1_000)

    def _do_few_1xx(self, sock: socket.socket) -> None:
        sock.sendall(b"HTTP/1.1 100 Continue\r\n\r\n" + b"HTTP/1.1 103 Early Hints\r\n\r\n" * 5 + OK)

    def _do_switch(self, sock: socket.socket) -> None:
        sock.sendall(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\nhello")

    def _do_garbage(self, sock: socket.socket) -> None:
        sock.sendall(b"\x00\x01\x02 SSH-2.0-OpenSSH_9.2\r\n\r\n")

    def _do_null_in_header(self, sock: socket.socket) -> None:
        sock.sendall(OK.replace(b"\r\n\r\n", b"\r\nX-A: a\x00b\r\n\r\n"))

    def _do_closed(self, sock: socket.socket) -> None:
        return None

    def _do_reset(self, sock: socket.socket) -> None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def _do_reset_in_body(self, sock: socket.socket) -> None:
        sock.sendall(_JSON + b'Content-Length: 999\r\n\r\n{"a":')
        time.sleep(0.05)  # the client shall have read it before the reset overtakes it
        self._do_reset(sock)

    def _do_answers_twice(self, sock: socket.socket) -> bool:
        """The second answer comes when the connection lies idle: it must not be taken for the next request's."""
        sock.sendall(OK)
        time.sleep(0.1)
        sock.sendall(OK.replace(b"true", b"9999"))
        return True


def _read_request(sock: socket.socket) -> str:
    raw = b""
    while b"\r\n\r\n" not in raw:
        piece = sock.recv(65_536)
        if not piece:
            return ""
        raw += piece
    head, _, body = raw.partition(b"\r\n\r\n")
    length = next((int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), 0)
    while len(body) < length:
        body += sock.recv(65_536)
    return head.split(b" ")[1].decode()
