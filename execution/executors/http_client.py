"""One HTTP exchange under our rules: checked addresses, a total deadline, capped sizes, nothing implicit.

No redirects, cookies, proxies from the environment or hidden retries. Shared by http and by rpc's http-json
form.
"""

from __future__ import annotations

import asyncio
import io
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

import aiohttp
from aiohttp import payload
from aiohttp.client import ClientTimeout
from multidict import CIMultiDictProxy
from yarl import URL

from disttask_project.kernel.messages import text
from execution.domain.outcome import TaskFailed
from execution.executors.addresses import AddressDenied, AddressRule, parse_address
from execution.executors.http_connector import Connector
from execution.executors.http_connector import progress as current_progress
from execution.executors.http_decoding import Unpacker, is_packed
from execution.executors.http_failures import Progress, bad_url, reason_of, sorted_failure, too_large
from execution.executors.options import HttpOptions
from execution.executors.resolving import current_host
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


class Exchange(Protocol):
    """Makes one request; raises `TaskFailed`, sorted."""

    async def __call__(
        self,
        method: str,
        url: URL,
        *,
        headers: Mapping[str, str],
        body: bytes | None,
        deadline: float,
        tls: ssl.SSLContext | None = None,
    ) -> Answer: ...


class CheckedUrls:
    """URLs that may be called, as far as can be told without looking their names up."""

    def __init__(self, rule: AddressRule) -> None:
        self._rule = rule
        self._urls: dict[str, URL] = {}

    def __call__(self, raw: str) -> URL:
        """Raises `TaskFailed`."""
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
            self._rule.check(literal, host=url.host or "")
        return url


class HttpClient:
    """A pooled session, made on first use in the running loop; `close` it on the same loop."""

    def __init__(self, options: HttpOptions) -> None:
        self.options = options
        self.rule = AddressRule(
            allow_networks=options.allow_networks, allow_hosts=options.allow_hosts, setting=options.setting
        )
        self.url = CheckedUrls(self.rule)
        self._session: aiohttp.ClientSession | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

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
        """Make the request and read the answer by `deadline` (`time.monotonic()`). Raises `TaskFailed`,
        sorted. `tls` is in place of the system's certificates.
        """
        if body is not None and len(body) > self.options.max_request_bytes:
            raise too_large(len(body))
        progress = Progress()
        current_progress.set(progress)
        current_host.set(url.host or "")
        try:
            async with asyncio.timeout_at(deadline):
                return await self._exchange(method, url, headers, body, tls)
        except (aiohttp.ClientError, OSError) as error:
            failure = sorted_failure(url, error, progress)
            raise failure from (None if isinstance(error, TimeoutError) else error)

    async def _exchange(
        self, method: str, url: URL, headers: Mapping[str, str], body: bytes | None, tls: ssl.SSLContext | None
    ) -> Answer:
        data: Any = body
        if body is not None and len(body) >= _LARGE_BODY:
            data = payload.BytesIOPayload(io.BytesIO(body))
        response = await self._opened().request(
            method, url, headers=headers, data=data, allow_redirects=False, ssl=True if tls is None else tls
        )
        try:
            encoding = response.headers.get("Content-Encoding", "")
            if encoding and is_packed(encoding):
                return await self._unpacked(response, encoding)
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
            broken = reason_of(error)
        if size > limit:
            response.close()  # the rest is not worth the wire, nor the connection
        body = chunks[0] if len(chunks) == 1 else b"".join(chunks)
        return _answer(response, body[:limit], cut=size > limit, broken=broken)

    async def _unpacked(self, response: aiohttp.ClientResponse, encoding: str) -> Answer:
        unpacker = Unpacker(encoding, limit=self.options.max_response_bytes, ratio=self.options.max_ratio)
        broken = ""
        try:
            while (chunk := await response.content.readany()) and unpacker.feed(chunk):
                pass
        except (aiohttp.ClientError, OSError) as error:
            if isinstance(error, TimeoutError):
                raise
            broken = reason_of(error)
        if not response.content.at_eof():
            response.close()
        return _answer(response, unpacker.body, cut=unpacker.cut, broken=broken or unpacker.broken or "")

    def _opened(self) -> aiohttp.ClientSession:
        loop = asyncio.get_running_loop()
        if self._session is None or self._loop is not loop or self._session.closed:
            self._loop = loop
            self._session = self._made()
        return self._session

    def _made(self) -> aiohttp.ClientSession:
        session = aiohttp.ClientSession(
            connector=Connector(self.rule),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=ClientTimeout(
                total=None, sock_connect=self.options.connect_timeout, sock_read=self.options.read_timeout or None
            ),
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


def _answer(response: aiohttp.ClientResponse, body: bytes, *, cut: bool, broken: str) -> Answer:
    return Answer(
        status=response.status,
        reason=outside_text(response.reason or "", 200),
        headers=response.headers,
        body=body,
        cut=cut,
        broken=broken,
    )


def read_url(raw: str) -> URL:
    """An absolute http(s) URL without credentials. Raises `TaskFailed` (refused, `BAD_URL`)."""
    if _FORBIDDEN_IN_URL.intersection(raw):
        raise bad_url(text("it holds spaces, control characters or backslashes"))
    try:
        url = URL(raw)
        port = url.port
    except ValueError as error:
        raise bad_url(outside_text(error, 200)) from error
    if url.scheme not in {"http", "https"} or not url.host or not port:
        raise bad_url(text("it must begin with http:// or https:// and a host"))
    if url.raw_user is not None or url.raw_password is not None:
        raise bad_url(text("credentials belong into auth, by ${secret:NAME}"))
    return url


__all__ = ["AddressDenied", "Answer", "CheckedUrls", "Exchange", "HttpClient", "TaskFailed", "read_url"]
