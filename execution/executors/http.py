"""Task type http: one request to a URL."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema, field_validator
from yarl import URL

from disttask_project.kernel import json
from disttask_project.kernel.messages import text
from execution.domain.outcome import Result, TaskFailed
from execution.executors.base import Call, Executor, register
from execution.executors.http_client import HttpClient, read_url
from execution.executors.http_outcome import answer_value, broken_answer, is_success, status_failure
from execution.executors.identity import traceparent, wire_text
from execution.executors.options import HttpOptions, http_options
from execution.executors.schema import ParsedConfigs, parse
from execution.executors.sealing import sealed_error, sealed_value
from execution.executors.secrets import reveal

METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
_IN_QUERY: Final = frozenset({"GET", "HEAD", "DELETE"})  # without a body of its own, the input is the query
_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_NOT_IN_VALUE: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
# They frame the message or speak to the next hop; a task that sets them splits requests.
_RESERVED: Final = frozenset(
    {"connection", "content-length", "expect", "keep-alive", "proxy-authenticate", "proxy-authorization"}
    | {"proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"}
)
_SUCCESS: Final = ((200, 299),)
_STATUS: Final = re.compile(r"([1-5])xx|([1-5][0-9]{2})(?:-([1-5][0-9]{2}))?")


def _is_open(value: object) -> bool:
    return isinstance(value, str) and "${" in value


def _scalar_text(value: Any) -> Any:
    """Numbers and truth values may stand where text is sent."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | float) else value


def _statuses(value: Any) -> Any:
    """`200`, `"2xx"`, `"200-204"` or a list of them, as ranges."""
    ranges = []
    for item in value if isinstance(value, list | tuple) else [value]:
        match = _STATUS.fullmatch(str(item).lower())
        if match is None:
            raise ValueError(text('Must be statuses such as 200, "2xx" or "200-204".'))
        first = int(match[2]) if match[2] else int(match[1]) * 100
        ranges.append((first, int(match[3] or first) if match[2] else first + 99))
    if not ranges:
        raise ValueError(text("Must name at least one status."))
    return tuple(ranges)


HeaderText = Annotated[str, BeforeValidator(_scalar_text)]
StatusRanges = Annotated[
    tuple[tuple[int, int], ...],
    BeforeValidator(_statuses),
    WithJsonSchema(
        {"anyOf": [{"type": ["integer", "string"]}, {"type": "array", "items": {"type": ["integer", "string"]}}]}
    ),
]


class HttpConfig(BaseModel):
    model_config = ConfigDict(extra="forbid")

    url: str = Field(min_length=1, max_length=8_192, description="Absolute http or https URL.")
    method: str = Field(default="POST", description="GET, HEAD, POST, PUT, PATCH, DELETE or OPTIONS.")
    headers: dict[str, HeaderText] = Field(default_factory=dict)
    query: dict[str, Any] = Field(default_factory=dict, description="A list sends its key once an item.")
    body: Any = Field(default=None, description="In place of the input. A string goes out as it is.")
    success_status: StatusRanges = Field(default=_SUCCESS, description='200, "2xx", "200-204", or a list.')

    @field_validator("url")
    @classmethod
    def _url_can_be_called(cls, url: str) -> str:
        if not _is_open(url):
            try:
                read_url(url)
            except TaskFailed as error:
                raise ValueError(error.failure.message) from error
        return url

    @field_validator("method")
    @classmethod
    def _method_is_known(cls, method: str) -> str:
        if method.upper() not in METHODS and not _is_open(method):
            raise ValueError(text("Must be one of: {choices}.", choices=", ".join(METHODS)))
        return method.upper() if not _is_open(method) else method

    @field_validator("headers")
    @classmethod
    def _headers_are_whole(cls, headers: dict[str, str]) -> dict[str, str]:
        for name, value in headers.items():
            if not _TOKEN.fullmatch(name):
                raise ValueError(text("{name} is no header name.", name=repr(name)))
            if name.lower() in _RESERVED:
                raise ValueError(text("The header {name} is set by the connection itself.", name=name))
            if _NOT_IN_VALUE.search(value):
                raise ValueError(text("The header {name} holds a line break or control character.", name=name))
        return headers


@register
class HttpExecutor(Executor):
    """`Idempotency-Key` goes with every attempt; a target that honours it does the work once."""

    name = "http"
    config_model = HttpConfig
    is_async = True
    description = "Sends a request to a URL; the result is its status, headers and body."

    def __init__(self, options: HttpOptions | None = None) -> None:
        self._client = HttpClient(options or http_options())
        self._parsed = ParsedConfigs(HttpConfig)

    async def execute(self, call: Call) -> Result:
        config, secrets = reveal(call.config)
        try:
            value = await self._answered(parse(HttpConfig, config) if secrets else self._parsed(config), call)
        except Exception as error:
            if secrets:
                raise sealed_error(error, secrets) from None
            raise
        return Result(value=sealed_value(value, secrets))

    async def _answered(self, config: HttpConfig, call: Call) -> dict[str, Any]:
        url = self._client.url(config.url)
        body, content_type = None, ""
        if config.body is not None:
            body, content_type = _encoded(config.body)
        elif "body" in call.input:
            body, content_type = _encoded(call.input["body"])
        elif config.method in _IN_QUERY:
            url = _with_query(url, call.input)
        else:
            body, content_type = _encoded(dict(call.input))
        if config.query:
            url = _with_query(url, config.query)
        answer = await self._client.exchange(
            config.method, url, headers=_headers(config, call, content_type), body=body, deadline=call.deadline
        )
        value = answer_value(answer)
        if not is_success(answer.status, config.success_status):
            raise status_failure(answer, value)
        if answer.broken:
            raise broken_answer(answer, value)
        return value

    async def close(self) -> None:
        await self._client.close()


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


def _encoded(body: json.JSON) -> tuple[bytes, str]:
    if isinstance(body, str):
        looks_json = body.lstrip()[:1] in {"{", "["}
        return body.encode(), "application/json" if looks_json else "text/plain; charset=utf-8"
    return json.dumps(body).encode(), "application/json"


def _with_query(url: URL, values: Mapping[str, Any]) -> URL:
    """Scalars as text, lists as a repeated key, null left out, objects as JSON."""
    pairs = [
        (key, _query_text(item))
        for key, value in values.items()
        for item in (value if isinstance(value, list | tuple) else [value])
        if item is not None
    ]
    return url.extend_query(pairs) if pairs else url


def _query_text(value: Any) -> str:
    value = _scalar_text(value)
    return value if isinstance(value, str) else json.dumps(value)
