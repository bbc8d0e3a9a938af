"""One HTTP exchange under our rules: checked addresses, a total deadline, capped sizes, nothing implicit.

No redirects, cookies, proxies from the environment or hidden retries. Shared by http and by rpc's http-json
form.
"""

from __future__ import annotations

import asyncio
import io
import zlib
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Final

import aiohttp
from aiohttp import payload
from aiohttp.client import ClientTimeout
from aiohttp.connector import Connection
from multidict import CIMultiDictProxy
from yarl import URL

from disttask_project.kernel.messages import text
from execution.domain.outcome import Sort, TaskFailed
from execution.executors.addresses import AddressDenied, AddressRule, parse_address
from execution.executors.options import HttpOptions
from execution.executors.resolving import CheckedResolver, CheckedSockets, current_host
from execution.executors.sealing import outside_text

_AUTO_HEADERS: Final = ("User-Agent", "Accept", "Accept-Encoding", "Content-Type")
_LARGE_BODY: Final = 1024 * 1024  # aiohttp wants larger ones as a stream
_URLS_KEPT: Final = 2_000
_FORBIDDEN_IN_URL: Final = frozenset(map(chr, range(0x21))) | {"\\", "\x7f"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the target answered. `cut`: the body was longer than we keep. `broken`: it ended before its
    end.
    """

    status: int
    reason: str
    headers: CIMultiDictProxy[str]
    body: bytes
    cut: bool = False
    broken: str = ""


class _Progress:
    """How far a request came: after `connected` the target may have seen it."""

    __slots__ = ("connected",)

    def __init__(self) -> None:
        self.connected = False


_progress: ContextVar[_Progress] = ContextVar("_progress")


class _Connector(aiohttp.TCPConnector):
    async def connect(self, req: aiohttp.ClientRequest, traces: list[Any], timeout: ClientTimeout) -> Connection:
        connection = await super().connect(req, traces, timeout)
        _progress.get().connected = True
        return connection


class HttpClient:
    """A pooled session, made on first use in the running loop; `close` it on the same loop."""

    def __init__(self, options: HttpOptions) -> None:
        self.options = options
        self.rule = AddressRule(
            allow_networks=options.allow_networks, allow_hosts=options.allow_hosts, setting=options.setting
        )
        self._urls: dict[str, URL] = {}
        self._session: aiohttp.ClientSession | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def url(self, raw: str) -> URL:
        """A URL that may be called, as far as can be told without looking its name up. Raises
        `TaskFailed`.
        """
        known = self._urls.get(raw)
        if known is None:
            known = self._checked(raw)
            if len(self._urls) >= _URLS_KEPT:
                self._urls.clear()
            self._urls[raw] = known
        return known

    def _checked(self, raw: str) -> URL:
        url = read_url(raw)
        literal = parse_address(url.host or "")
        if literal is not None:
            self.rule.check(literal, host=url.host or "")
        return url

    async def exchange(
        self, method: str, url: URL, *, headers: Mapping[str, str], body: bytes | None, deadline: float
    ) -> Answer:
        """Make the request and read the answer by `deadline` (`time.monotonic()`). Raises `TaskFailed`,
        sorted.
        """
        if body is not None and len(body) > self.options.max_request_bytes:
            raise TaskFailed(
                Sort.REFUSED,
                "REQUEST_TOO_LARGE",
                text("The request body of {size} bytes is above the limit.", size=len(body)),
            )
        progress = _Progress()
        _progress.set(progress)
        current_host.set(url.host or "")
        try:
            async with asyncio.timeout_at(deadline):
                return await self._exchange(method, url, headers, body)
        except TimeoutError:
            raise _timed_out(url, progress) from None
        except aiohttp.ClientConnectorDNSError as error:
            raise TaskFailed(
                Sort.NEVER_SENT,
                "DNS_FAILED",
                text("The name {host} was not found: {reason}.", host=url.host, reason=_reason(error.os_error)),
            ) from error
        except (aiohttp.ClientSSLError, aiohttp.ClientConnectorCertificateError) as error:
            raise TaskFailed(
                Sort.NEVER_SENT,
                "TLS_FAILED",
                text("No secure connection to {host}: {reason}.", host=url.host, reason=_reason(error)),
            ) from error
        except aiohttp.InvalidURL as error:
            raise _bad_url(outside_text(error)) from error
        except aiohttp.ClientResponseError as error:
            raise _unreadable(url, error) from error
        except (aiohttp.ClientError, OSError) as error:
            raise _broken(url, error, progress) from error

    async def _exchange(self, method: str, url: URL, headers: Mapping[str, str], body: bytes | None) -> Answer:
        data: Any = body
        if body is not None and len(body) >= _LARGE_BODY:
            data = payload.BytesIOPayload(io.BytesIO(body))
        response = await self._opened().request(method, url, headers=headers, data=data, allow_redirects=False)
        try:
            return await self._read(response)
        finally:
            response.release()

    async def _read(self, response: aiohttp.ClientResponse) -> Answer:
        limit = self.options.max_response_bytes
        chunks: list[bytes] = []
        size = 0
        broken = ""
        try:
            while size <= limit and (chunk := await response.content.readany()):
                chunks.append(chunk)
                size += len(chunk)
        except (aiohttp.ClientError, OSError) as error:
            if isinstance(error, TimeoutError):
                raise
            broken = _reason(error)
        if size > limit:
            response.close()  # the rest is not worth the wire, nor the connection
        body, cut = _decoded(b"".join(chunks), response.headers.get("Content-Encoding", ""), limit)
        return Answer(
            status=response.status,
            reason=outside_text(response.reason or "", 200),
            headers=response.headers,
            body=body,
            cut=cut,
            broken=broken,
        )

    def _opened(self) -> aiohttp.ClientSession:
        loop = asyncio.get_running_loop()
        if self._session is None or self._loop is not loop or self._session.closed:
            self._loop = loop
            self._session = self._made()
        return self._session

    def _made(self) -> aiohttp.ClientSession:
        connector = _Connector(
            limit=0,  # the engine's slots bound the calls
            resolver=CheckedResolver(self.rule),
            socket_factory=CheckedSockets(self.rule),
            ttl_dns_cache=30,
            keepalive_timeout=15,
        )
        session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=ClientTimeout(total=None, sock_connect=self.options.connect_timeout),
            auto_decompress=False,
            trust_env=False,
            skip_auto_headers=_AUTO_HEADERS,
        )
        # aiohttp sends idempotent methods again when a kept connection turns out dead; retries are the
        # core's.
        session._retry_connection = False
        return session

    async def close(self) -> None:
        """Close the pool; a session of a loop that is gone is dropped with it."""
        session, self._session = self._session, None
        if session is not None and self._loop is asyncio.get_running_loop():
            await session.close()


def read_url(raw: str) -> URL:
    """An absolute http(s) URL without credentials. Raises `TaskFailed` (refused, `BAD_URL`)."""
    if _FORBIDDEN_IN_URL.intersection(raw):
        raise _bad_url(text("it holds spaces, control characters or backslashes"))
    try:
        url = URL(raw)
        port = url.port
    except ValueError as error:
        raise _bad_url(outside_text(error, 200)) from error
    if url.scheme not in {"http", "https"} or not url.host or not port:
        raise _bad_url(text("it must begin with http:// or https:// and a host"))
    if url.raw_user is not None or url.raw_password is not None:
        raise _bad_url(text("credentials belong into an Authorization header, by ${secret:NAME}"))
    return url


def _bad_url(reason: str) -> TaskFailed:
    return TaskFailed(Sort.REFUSED, "BAD_URL", text("The url cannot be called: {reason}.", reason=reason))


def _timed_out(url: URL, progress: _Progress) -> TaskFailed:
    if progress.connected:
        return TaskFailed(
            Sort.MAYBE_APPLIED,
            "TIMEOUT",
            text("{host} did not answer in time; it may have done what was asked.", host=url.host),
            type="Timeout",
        )
    return TaskFailed(
        Sort.NEVER_SENT,
        "CONNECT_TIMEOUT",
        text("No connection to {host}:{port} in time.", host=url.host, port=url.port),
        type="Timeout",
    )


def _broken(url: URL, error: Exception, progress: _Progress) -> TaskFailed:
    if not progress.connected:
        return TaskFailed(
            Sort.NEVER_SENT,
            "CONNECT_FAILED",
            text("No connection to {host}:{port}: {reason}.", host=url.host, port=url.port, reason=_reason(error)),
            type="ConnectionFailed",
        )
    return TaskFailed(
        Sort.MAYBE_APPLIED,
        "CONNECTION_LOST",
        text("The connection to {host} broke before an answer: {reason}.", host=url.host, reason=_reason(error)),
        type="ConnectionLost",
    )


def _unreadable(url: URL, error: aiohttp.ClientResponseError) -> TaskFailed:
    # Its own text quotes the URL, query and all.
    reason = outside_text(error.message, 300).partition("\n")[0].rstrip(" .:")
    return TaskFailed(
        Sort.MAYBE_APPLIED,
        "BROKEN_RESPONSE",
        text("{host} answered with something that is no HTTP: {reason}.", host=url.host, reason=reason),
        type="BrokenResponse",
    )


def _reason(error: BaseException) -> str:
    return outside_text(str(error) or type(error).__name__, 300).rstrip(".")


def _decoded(raw: bytes, encoding: str, limit: int) -> tuple[bytes, bool]:
    """The body without its content encoding, never more than `limit` bytes of it (a bomb stops there)."""
    encoding = encoding.strip().lower()
    if not encoding or encoding == "identity":
        return raw[:limit], len(raw) > limit
    if encoding not in {"gzip", "x-gzip", "deflate"}:
        return raw[:limit], len(raw) > limit
    wbits = (16 + zlib.MAX_WBITS,) if "gzip" in encoding else (zlib.MAX_WBITS, -zlib.MAX_WBITS)
    for bits in wbits:
        unpacker = zlib.decompressobj(bits)
        try:
            body = unpacker.decompress(raw, limit)
        except zlib.error:
            continue
        return body, bool(unpacker.unconsumed_tail) or len(raw) > limit
    return raw[:limit], len(raw) > limit


__all__ = ["AddressDenied", "Answer", "HttpClient", "read_url"]
