"""What a task of type http may say in its config."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema, field_validator, model_validator

from disttask_project.kernel.messages import text
from execution.domain.outcome import TaskFailed
from execution.executors.http_auth import Auth, header_names
from execution.executors.http_bodies import Encoding, scalar_text
from execution.executors.http_client import read_url
from execution.executors.http_redirects import MOST

METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_NOT_IN_VALUE: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
# They frame the message or speak to the next hop; a task that sets them splits requests.
_RESERVED: Final = frozenset(
    {"connection", "content-length", "expect", "keep-alive", "proxy-authenticate", "proxy-authorization"}
    | {"proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"}
)
_SUCCESS: Final = ((200, 299),)
_STATUS: Final = re.compile(r"([1-5])xx|([1-5][0-9]{2})(?:-([1-5][0-9]{2}))?")


def is_open(value: object) -> bool:
    """An expression stands there: what it turns out to be is not known yet."""
    return isinstance(value, str) and "${" in value


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


HeaderText = Annotated[str, BeforeValidator(scalar_text)]
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
    encoding: Encoding = Field(default="json", description="How the body is written: json, form or multipart.")
    auth: Auth | None = Field(default=None, description="basic, bearer or hmac, with secrets by reference.")
    tls: str | None = Field(default=None, max_length=64, description="A name of [http.tls]: certificates to use.")
    redirects: int = Field(default=0, ge=0, le=MOST, description="How many redirects to follow.")
    success_status: StatusRanges = Field(default=_SUCCESS, description='200, "2xx", "200-204", or a list.')

    @field_validator("url")
    @classmethod
    def _url_can_be_called(cls, url: str) -> str:
        if not is_open(url):
            try:
                read_url(url)
            except TaskFailed as error:
                raise ValueError(error.failure.message) from error
        return url

    @field_validator("method")
    @classmethod
    def _method_is_known(cls, method: str) -> str:
        if method.upper() not in METHODS and not is_open(method):
            raise ValueError(text("Must be one of: {choices}.", choices=", ".join(METHODS)))
        return method.upper() if not is_open(method) else method

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

    @model_validator(mode="after")
    def _nothing_is_said_twice(self) -> HttpConfig:
        twice = header_names(self.auth).intersection(map(str.lower, self.headers))
        if twice:
            raise ValueError(text("The header {name} is set by auth.", name=min(twice)))
        return self
