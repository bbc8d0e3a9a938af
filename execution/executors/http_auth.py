"""Who a request comes from: basic, bearer, or signed with a shared key. What is secret stands by reference."""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator
from yarl import URL

from disttask_project.kernel.errors import Problem
from disttask_project.kernel.messages import text
from execution.executors.http_redirects import Sign

_REFERENCE: Final = "${secret:"
_SECRET_KEYS: Final = ("password", "token", "secret")
HeaderName = Annotated[str, Field(pattern=r"^[!#$%&'*+.^_`|~0-9A-Za-z-]+$", max_length=100)]


class BasicAuth(BaseModel):
    model_config = ConfigDict(extra="forbid")

    type: Literal["basic"]
    username: str = Field(min_length=1)
    password: str = Field(min_length=1, description="${secret:NAME}")

    @field_validator("username")
    @classmethod
    def _name_ends_before_the_colon(cls, username: str) -> str:
        if ":" in username and "${" not in username:
            raise ValueError(text("A user name holds no colon."))
        return username


class BearerAuth(BaseModel):
    model_config = ConfigDict(extra="forbid")

    type: Literal["bearer"]
    token: str = Field(min_length=1, description="${secret:NAME}")

    @field_validator("token")
    @classmethod
    def _token_is_one_word(cls, token: str) -> str:
        if not token.isascii() or not token.isprintable() or " " in token:
            raise ValueError(text("A token is one word of printable ASCII."))
        return token


class HmacAuth(BaseModel):
    model_config = ConfigDict(extra="forbid")

    type: Literal["hmac"]
    secret: str = Field(min_length=1, description="${secret:NAME}")
    key_id: str = Field(default="", max_length=200, pattern=r"^[\x20-\x7e]*$", description="Sent along.")
    algorithm: Literal["sha256", "sha512"] = "sha256"
    header: HeaderName = "X-Signature"
    timestamp_header: HeaderName = "X-Timestamp"
    key_id_header: HeaderName = "X-Key-Id"


Auth = Annotated[BasicAuth | BearerAuth | HmacAuth, Field(discriminator="type")]


def auth_problems(config: Mapping[str, Any]) -> Iterator[Problem]:
    """Passwords that stand in a definition in the clear, where everyone who may read flows reads them."""
    auth = config.get("auth")
    if isinstance(auth, str):
        yield Problem(loc=("auth",), code="wrong_type", message=text("Must be an object."))
    if not isinstance(auth, Mapping):
        return
    for key in _SECRET_KEYS:
        value = auth.get(key)
        if isinstance(value, str) and value and _REFERENCE not in value:
            message = text("Must name a secret, such as ${secret:PAY_TOKEN}; it is put in when the task is sent.")
            yield Problem(loc=("auth", key), code="not_a_secret", message=message)


def header_names(auth: Auth | None) -> frozenset[str]:
    """The headers that `auth` sets, in lower case: a task may not set them as well."""
    if auth is None:
        return frozenset()
    if isinstance(auth, HmacAuth):
        return frozenset(name.lower() for name in (auth.header, auth.timestamp_header, auth.key_id_header))
    return frozenset({"authorization"})


def signer(auth: Auth | None, *, key: str) -> Sign | None:
    """What adds the credentials to one request. `key` is the idempotency key as it is sent."""
    if auth is None:
        return None
    if isinstance(auth, HmacAuth):
        return lambda method, url, body: _signed(auth, method, url, body, key)
    if isinstance(auth, BearerAuth):
        value = f"Bearer {auth.token}"
    else:
        value = f"Basic {base64.b64encode(f'{auth.username}:{auth.password}'.encode()).decode()}"
    return lambda _method, _url, _body: {"Authorization": value}


def _signed(auth: HmacAuth, method: str, url: URL, body: bytes | None, key: str) -> dict[str, str]:
    """The signature covers time, method, path with query, idempotency key and body; see docs/executors.md."""
    timestamp = str(int(time.time()))
    digest = hashlib.new(auth.algorithm, body or b"").hexdigest()
    covered = "\n".join((timestamp, method, url.raw_path_qs, key, digest))
    signature = hmac.new(auth.secret.encode(), covered.encode(), auth.algorithm).hexdigest()
    headers = {auth.timestamp_header: timestamp, auth.header: f"{auth.algorithm}={signature}"}
    if auth.key_id:
        headers[auth.key_id_header] = auth.key_id
    return headers
