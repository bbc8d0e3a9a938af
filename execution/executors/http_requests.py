"""The same exchange on `requests`, for those who must have it: blocking calls on threads of their own.

The rules are aiohttp's ones: a name is looked up and checked before, connections go to the checked addresses only,
one total deadline, capped sizes, nothing implicit. Costs two and a half times the processor time a call.
"""

from __future__ import annotations

import asyncio
import http.client
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from http.cookiejar import DefaultCookiePolicy
from typing import Any, Final

import requests
import urllib3
from multidict import CIMultiDict, CIMultiDictProxy
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from yarl import URL

from execution.domain.outcome import TaskFailed
from execution.executors.addresses import AddressRule, parse_address
from execution.executors.http_client import Answer, CheckedUrls
from execution.executors.http_decoding import Unpacker, is_packed
from execution.executors.http_failures import (
    Progress,
    bad_url,
    broken,
    not_found,
    not_secure,
    reason_of,
    timed_out,
    too_large,
    unreadable,
)
from execution.executors.options import HttpOptions
from execution.executors.resolving import look_up
from execution.executors.sealing import outside_text

_THREADS: Final = 64
_CHUNK: Final = 65_536
_flights = threading.local()


class _Flight(Progress):
    """One request on its way: where it may go, and the sockets to cut when its time is over."""

    def __init__(self, url: URL, rule: AddressRule) -> None:
        super().__init__()
        self.url = url
        self.host = url.host or ""
        self.rule = rule
        self.addresses: list[tuple[socket.AddressFamily, str]] = []
        self._lock = threading.Lock()
        self._sockets: list[socket.socket] = []
        self._is_over = False

    def hold(self, sock: socket.socket) -> None:
        """Raises `TimeoutError` where the time is over already."""
        with self._lock:
            if self._is_over:
                raise TimeoutError
            self._sockets.append(sock)

    def abort(self) -> None:
        with self._lock:
            self._is_over = True
            for sock in self._sockets:
                with suppress(OSError):
                    sock.shutdown(socket.SHUT_RDWR)

    def land(self) -> None:
        """From now on the connection may serve others: nobody cuts it."""
        with self._lock:
            self._sockets.clear()


class _Checked(HTTPConnection):
    """Dials the addresses of the flight, whatever its own idea of the host is."""

    def _new_conn(self) -> socket.socket:
        flight: _Flight = _flights.current
        reason: OSError | None = None
        for family, address in flight.addresses:
            literal = parse_address(address)
            assert literal is not None
            flight.rule.check(literal, host=flight.host)
            sock = socket.socket(family, socket.SOCK_STREAM)
            try:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                sock.settimeout(self.timeout if isinstance(self.timeout, int | float) else None)
                flight.hold(sock)
                sock.connect((address, self.port))
            except OSError as error:
                sock.close()
                reason = error
            else:
                return sock
        raise reason or OSError("no address")

    def connect(self) -> None:
        super().connect()
        _flights.current.connected = True

    def request(self, *arguments: Any, **how: Any) -> None:
        if self.sock is not None:  # kept from an earlier request
            _flights.current.hold(self.sock)
            _flights.current.connected = True
        super().request(*arguments, **how)


class _CheckedTls(_Checked, HTTPSConnection):
    def connect(self) -> None:
        HTTPSConnection.connect(self)
        _flights.current.connected = True


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Checked


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _CheckedTls


class _Adapter(HTTPAdapter):
    def __init__(self, context: ssl.SSLContext | None) -> None:
        self._context = context
        super().__init__(pool_maxsize=_THREADS, max_retries=0)

    def init_poolmanager(self, *arguments: Any, **how: Any) -> None:
        super().init_poolmanager(*arguments, ssl_context=self._context, **how)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        """The context says whom to trust; requests would add a bundle of its own to it."""
        conn.cert_reqs = "CERT_REQUIRED"


class RequestsClient:
    """In place of `HttpClient`."""

    def __init__(self, options: HttpOptions) -> None:
        self.options = options
        self.rule = AddressRule(
            allow_networks=options.allow_networks, allow_hosts=options.allow_hosts, setting=options.setting
        )
        self.url = CheckedUrls(self.rule)
        self._default: ssl.SSLContext | None = None
        self._sessions: dict[ssl.SSLContext | None, requests.Session] = {}
        self._pool: ThreadPoolExecutor | None = None

    async def exchange(
        self,
        method: str,
        url: URL,
        *,
        headers: Mapping[str, str],
        body: bytes | None,
        deadline: float,
        tls: ssl.SSLContext | None = None,
    ) -> Answer:
        """As `HttpClient.exchange`."""
        if body is not None and len(body) > self.options.max_request_bytes:
            raise too_large(len(body))
        flight = _Flight(url, self.rule)
        prepared = _prepared(method, url, headers, body)
        self._pool = self._pool or ThreadPoolExecutor(_THREADS, thread_name_prefix="http")
        try:
            async with asyncio.timeout_at(deadline):
                try:
                    flight.addresses = await look_up(flight.host, url.port or 0, self.rule)
                except OSError as error:
                    if isinstance(error, TimeoutError):
                        raise
                    raise not_found(url, error) from error
                trusting = tls or self._trusting(url)
                work = partial(self._exchange, flight, prepared, trusting)
                return await asyncio.get_running_loop().run_in_executor(self._pool, work)
        except TimeoutError:
            raise timed_out(url, flight) from None
        finally:
            flight.abort()

    def _exchange(self, flight: _Flight, prepared: requests.PreparedRequest, tls: ssl.SSLContext | None) -> Answer:
        _flights.current = flight
        timeouts = (self.options.connect_timeout, self.options.read_timeout or None)
        try:
            with self._session(tls).send(prepared, stream=True, timeout=timeouts, allow_redirects=False) as response:
                answer = self._read(response)
            flight.land()
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            raise _sorted(flight, error) from error
        return answer

    def _read(self, response: requests.Response) -> Answer:
        limit = self.options.max_response_bytes
        encoding = response.headers.get("Content-Encoding", "")
        unpacker = Unpacker(encoding, limit=limit, ratio=self.options.max_ratio) if is_packed(encoding) else None
        raw, reason = bytearray(), ""
        try:
            for chunk in response.raw.stream(_CHUNK, decode_content=False):
                if unpacker is not None:
                    if not unpacker.feed(chunk):
                        break
                    continue
                raw += chunk
                if len(raw) > limit:
                    break
        except (urllib3.exceptions.HTTPError, OSError) as error:
            if any(isinstance(found, TimeoutError | urllib3.exceptions.TimeoutError) for found in _chain(error)):
                raise
            reason = reason_of(error)
        headers = CIMultiDict(response.raw.headers.iteritems())
        is_cut = len(raw) > limit if unpacker is None else unpacker.cut
        if is_cut:
            response.raw.close()
        return Answer(
            status=response.status_code,
            reason=outside_text(response.reason or "", 200),
            headers=CIMultiDictProxy(headers),
            body=bytes(raw[:limit]) if unpacker is None else unpacker.body,
            cut=is_cut,
            broken=reason or (unpacker.broken if unpacker is not None else None) or "",
        )

    def _trusting(self, url: URL) -> ssl.SSLContext | None:
        """The system's certificates; reading them takes a moment, so once and only where they are needed."""
        if self._default is None and url.scheme == "https":
            self._default = ssl.create_default_context()
        return self._default

    def _session(self, tls: ssl.SSLContext | None) -> requests.Session:
        session = self._sessions.get(tls)
        if session is None:
            session = requests.Session()
            session.trust_env = False
            session.headers.clear()
            session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
            session.mount("http://", _Adapter(tls))
            session.mount("https://", _Adapter(tls))
            session = self._sessions.setdefault(tls, session)
        return session

    async def close(self) -> None:
        sessions, self._sessions = self._sessions, {}
        for session in sessions.values():
            session.close()
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown(wait=False, cancel_futures=True)


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error and what it stands for: these libraries wrap each other's."""
    todo: list[Any] = [error]
    seen: set[int] = set()
    while todo:
        found = todo.pop()
        if isinstance(found, BaseException) and id(found) not in seen:
            seen.add(id(found))
            yield found
            todo += [found.__cause__, found.__context__, getattr(found, "reason", None), *found.args]


def _prepared(method: str, url: URL, headers: Mapping[str, str], body: bytes | None) -> requests.PreparedRequest:
    prepared = requests.Request(method, "http://unused", headers=dict(headers), data=body).prepare()
    prepared.url = str(url)  # as it was checked and signed; requests would quote it anew
    return prepared


def _sorted(flight: _Flight, error: Exception) -> TaskFailed:
    url, found = flight.url, list(_chain(error))
    if not flight.connected and any(isinstance(item, ssl.SSLError) for item in found):
        return not_secure(url, next(item for item in found if isinstance(item, ssl.SSLError)))
    if not flight.connected and any(isinstance(item, ValueError) for item in found):
        return bad_url(outside_text(error, 200))  # what one parser takes for a URL, the other does not
    if any(isinstance(item, TimeoutError | urllib3.exceptions.TimeoutError) for item in found):
        return timed_out(url, flight)
    for item in found:
        is_http = isinstance(item, http.client.HTTPException | urllib3.exceptions.HeaderParsingError)
        if is_http and not isinstance(item, http.client.RemoteDisconnected):
            return unreadable(url, str(item) or type(item).__name__)
    plain = next((item for item in found if isinstance(item, OSError) and item.strerror), error)
    return broken(url, plain, flight)
