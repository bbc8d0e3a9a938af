"""Task type http: one request to a URL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

from yarl import URL

from disttask_project.kernel import json
from disttask_project.kernel.errors import Problem
from disttask_project.kernel.messages import text
from execution.domain.outcome import Result
from execution.executors.base import Call, Executor, register
from execution.executors.http_auth import auth_problems, signer
from execution.executors.http_bodies import encoded, pairs
from execution.executors.http_clients import http_client
from execution.executors.http_config import HttpConfig, is_open
from execution.executors.http_failures import bad_url
from execution.executors.http_outcome import answer_value, broken_answer, is_success, status_failure
from execution.executors.http_redirects import Request, follow, send
from execution.executors.identity import traceparent, wire_text
from execution.executors.options import HttpOptions, http_options
from execution.executors.schema import ParsedConfigs, parse
from execution.executors.sealing import sealed_error, sealed_value
from execution.executors.secrets import reveal_on_loop
from execution.executors.tls import TlsContexts

_IN_QUERY: Final = frozenset({"GET", "HEAD", "DELETE"})  # without a body of its own, the input is the query


@register
class HttpExecutor(Executor):
    """`Idempotency-Key` goes with every attempt; a target that honours it does the work once."""

    name = "http"
    config_model = HttpConfig
    is_async = True
    description = "Sends a request to a URL; the result is its status, headers and body."

    def __init__(self, options: HttpOptions | None = None) -> None:
        self._options = options or http_options()
        self._client = http_client(self._options)
        self._contexts = TlsContexts(self._options.tls)
        self._parsed = ParsedConfigs(HttpConfig)

    @classmethod
    def config_problems(cls, config: Mapping[str, Any]) -> Sequence[Problem]:
        """Also whether secrets stand by reference, and the named certificates are there."""
        problems = [*super().config_problems(config), *auth_problems(config)]
        named = config.get("tls")
        known = http_options().tls
        if isinstance(named, str) and not is_open(named) and named not in known:
            message = text("The configuration has no [http.tls] entry named {name}.", name=named[:64])
            problems.append(Problem(loc=("tls",), code="unknown_name", message=message))
        return problems

    @classmethod
    def target(cls, config: Mapping[str, Any]) -> str:
        """Host and port."""
        scheme, _, rest = str(config["url"]).partition("://")
        return _authority(scheme, rest.replace("?", "/").replace("#", "/").partition("/")[0])

    async def execute(self, call: Call) -> Result:
        config, secrets = await reveal_on_loop(call.config)
        try:
            parsed = parse(HttpConfig, config) if secrets else self._parsed(config)
            value = await self._answered(parsed, call, has_secrets=bool(secrets))
        except Exception as error:
            if secrets:
                raise sealed_error(error, secrets) from None
            raise
        return Result(value=sealed_value(value, secrets))

    async def _answered(self, config: HttpConfig, call: Call, *, has_secrets: bool) -> dict[str, Any]:
        request = self._request(config, call, has_secrets=has_secrets)
        if config.redirects:
            answer, request = await follow(
                self._client.exchange, request, most=config.redirects, check=self._client.url
            )
        else:
            answer = await send(self._client.exchange, request)
        value = answer_value(answer)
        if not is_success(answer.status, config.success_status):
            raise status_failure(answer, value, was_applied=request.applied)
        if answer.broken:
            raise broken_answer(answer, value)
        return value

    def _request(self, config: HttpConfig, call: Call, *, has_secrets: bool) -> Request:
        url = self._client.url(config.url)
        body, content_type = None, ""
        if config.body is not None:
            body, content_type = encoded(config.body, config.encoding, key=call.key)
        elif "body" in call.input:
            body, content_type = encoded(call.input["body"], config.encoding, key=call.key)
        elif config.method in _IN_QUERY:
            url = _with_query(url, call.input)
        else:
            body, content_type = encoded(dict(call.input), config.encoding, key=call.key)
        if config.query:
            url = _with_query(url, config.query)
        if config.tls is not None and url.scheme != "https":
            raise bad_url(text("it must begin with https:// where tls is given"))
        headers = _headers(config, call, content_type)
        return Request(
            method=config.method,
            url=url,
            headers=headers,
            body=body,
            deadline=call.deadline,
            sign=None if config.auth is None else signer(config.auth, key=_key_of(headers)),
            tls=None if config.tls is None else self._contexts(config.tls),
            is_secret=has_secrets and config.body is not None,
        )

    async def close(self) -> None:
        await self._client.close()


@lru_cache(maxsize=4_096)
def _authority(scheme: str, authority: str) -> str:
    url = URL(f"{scheme}://{authority}")
    host = url.host or ""
    return f"[{host}]:{url.port}" if ":" in host else f"{host}:{url.port}"


def _headers(config: HttpConfig, call: Call, content_type: str) -> dict[str, str]:
    headers = {
        "User-Agent": "disttask",
        "Accept": "application/json, */*;q=0.5",
        "Accept-Encoding": "identity",
        "Idempotency-Key": wire_text(call.key),
        "X-Request-ID": wire_text(call.request_id or call.instance_id),
        "traceparent": traceparent(call),
    }
    if content_type:
        headers["Content-Type"] = content_type
    if config.headers:
        named = {name.lower() for name in config.headers}
        headers = {name: value for name, value in headers.items() if name.lower() not in named} | config.headers
    return headers


def _key_of(headers: Mapping[str, str]) -> str:
    """The idempotency key as it is sent: a task may send one of its own."""
    return next((value for name, value in headers.items() if name.lower() == "idempotency-key"), "")


def _with_query(url: URL, values: Mapping[str, json.JSON]) -> URL:
    found = list(pairs(values))
    return url.extend_query(found) if found else url
