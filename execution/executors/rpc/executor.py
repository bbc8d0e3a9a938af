"""Task type rpc: calls a method of a service, over gRPC or as JSON over HTTP."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final, Literal

from grpc import StatusCode, aio
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator

from disttask_project.kernel import json
from disttask_project.kernel.errors import Problem
from disttask_project.kernel.messages import text
from execution.domain.outcome import Result, Sort, TaskFailed
from execution.executors.base import Call, Executor, register
from execution.executors.http_clients import http_client
from execution.executors.http_outcome import answer_value, broken_answer
from execution.executors.http_outcome import status_failure as http_failure
from execution.executors.identity import traceparent, wire_text
from execution.executors.options import RpcOptions, rpc_options
from execution.executors.rpc.catalog import CatalogLibrary
from execution.executors.rpc.links import Links
from execution.executors.rpc.messages import as_request, as_value
from execution.executors.rpc.methods import Library, Methods
from execution.executors.rpc.services import HTTP_JSON, BadService, Service, find_service, read_target
from execution.executors.rpc.status import status_failure
from execution.executors.schema import ParsedConfigs, parse
from execution.executors.sealing import sealed_error, sealed_value
from execution.executors.secrets import reveal_on_loop

_KEY: Final = re.compile(r"[a-z0-9_.-]+")
_OWN: Final = frozenset(
    {"idempotency-key", "x-request-id", "traceparent", "host", "te", "content-type", "content-length"}
)


def _scalar_text(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | float) else value


def _is_open(value: str) -> bool:
    return "${" in value


class RpcConfig(BaseModel):
    model_config = ConfigDict(extra="forbid")

    service: str = Field(min_length=1, max_length=255, description="A name of [rpc.services], or package.Service.")
    method: str = Field(min_length=1, max_length=255)
    target: str | None = Field(default=None, description="host:port, where the configuration names none.")
    protocol: Literal["grpc", "http-json"] | None = Field(default=None)
    descriptors: str | None = Field(
        default=None, pattern=r"^(sha256:)?[0-9a-f]{64}$", description="The set to use, where not the newest."
    )
    metadata: dict[str, Annotated[str, BeforeValidator(_scalar_text)]] = Field(default_factory=dict)

    @field_validator("target")
    @classmethod
    def _target_has_a_port(cls, target: str | None) -> str | None:
        if target is not None and not _is_open(target):
            try:
                read_target(target)
            except BadService as error:
                raise ValueError(error.message) from error
        return target

    @field_validator("metadata")
    @classmethod
    def _metadata_can_be_sent(cls, metadata: dict[str, str]) -> dict[str, str]:
        sent = {name.lower(): value for name, value in metadata.items()}
        for name, value in sent.items():
            if not _KEY.fullmatch(name) or name.startswith("grpc-") or name.endswith("-bin") or name in _OWN:
                raise ValueError(text("{name} is no metadata key that a task may set.", name=repr(name)))
            if not (value.isascii() and value.isprintable()) and not _is_open(value):
                raise ValueError(text("The value of {name} must be printable ASCII.", name=name))
        return sent


@register
class RpcExecutor(Executor):
    """`idempotency-key` goes with every attempt as metadata; a service that honours it does the work once."""

    name = "rpc"
    config_model = RpcConfig
    is_async = True
    description = "Calls a method of a service; the result is its reply."

    def __init__(self, options: RpcOptions | None = None, library: Library | None = None) -> None:
        self._options = options or rpc_options()
        self._parsed = ParsedConfigs(RpcConfig)
        self._links = Links(self._options)
        self._catalog = CatalogLibrary() if options is None else None
        self._methods = Methods(self._options, self._links, library or self._catalog)
        self._http = http_client(self._options.http())

    @classmethod
    def config_problems(cls, config: Mapping[str, Any]) -> Sequence[Problem]:
        """Also whether the service can be found."""
        problems = list(super().config_problems(config))
        named = [config.get(key) for key in ("service", "target", "protocol")]
        if problems or any(isinstance(value, str) and _is_open(value) for value in named):
            return problems
        service, target, protocol = named
        try:
            find_service(str(service), target=target, protocol=protocol, options=rpc_options())
        except BadService as error:
            return [Problem(loc=("service",), code="unknown_service", message=error.message)]
        return problems

    @classmethod
    def target(cls, config: Mapping[str, Any]) -> str:
        """The address where the config names one, else the service."""
        return str(config.get("target") or config["service"])

    async def execute(self, call: Call) -> Result:
        config, secrets = await reveal_on_loop(call.config)
        try:
            value = await self._answered(parse(RpcConfig, config) if secrets else self._parsed(config), call)
        except Exception as error:
            if secrets:
                raise sealed_error(error, secrets) from None
            raise
        return Result(value=sealed_value(value, secrets, max_bytes=self._options.max_response_bytes))

    async def _answered(self, config: RpcConfig, call: Call) -> json.JSON:
        try:
            service = find_service(
                config.service, target=config.target, protocol=config.protocol, options=self._options
            )
        except BadService as error:
            raise TaskFailed(
                Sort.REFUSED, "BAD_SERVICE", text("The service cannot be called: {reason}.", reason=error.message)
            ) from error
        if service.protocol == HTTP_JSON:
            return await self._over_http(service, config, call)
        return await self._over_grpc(service, config, call)

    async def _over_grpc(self, service: Service, config: RpcConfig, call: Call) -> json.JSON:
        sent = False
        try:
            async with asyncio.timeout_at(call.deadline):
                link = await self._links.link(service, deadline=call.deadline)
                method, invoke = await self._methods.find(
                    link, config.method, pinned=config.descriptors or "", deadline=call.deadline
                )
                request = as_request(method, dict(call.input))
                if len(request) > self._options.max_message_bytes:
                    raise TaskFailed(
                        Sort.REFUSED,
                        "REQUEST_TOO_LARGE",
                        text("The request of {size} bytes is above the limit.", size=len(request)),
                    )
                sent = True
                reply = await invoke(
                    request,
                    timeout=max(0.001, call.deadline - time.monotonic()),
                    metadata=_metadata(config, call),
                )
        except aio.AioRpcError as error:
            if error.code() is StatusCode.UNAVAILABLE:
                self._links.forget(link)
            raise status_failure(error) from error
        except TimeoutError:
            raise _timed_out(service, sent=sent) from None
        return as_value(method, reply, keeps_names=service.keeps_names)

    async def _over_http(self, service: Service, config: RpcConfig, call: Call) -> json.JSON:
        body = json.dumps({"method": config.method, "params": dict(call.input)}).encode()
        headers = {"User-Agent": "disttask", "Accept": "application/json", "Content-Type": "application/json"}
        headers |= dict(_metadata(config, call))
        answer = await self._http.exchange(
            "POST", self._http.url(service.url), headers=headers, body=body, deadline=call.deadline
        )
        value = answer_value(answer)
        if not 200 <= answer.status < 300:
            raise http_failure(answer, value)
        if answer.broken:
            raise broken_answer(answer, value)
        return value["body"]

    async def close(self) -> None:
        await self._links.close()
        if self._catalog is not None:
            self._catalog.close()
        await self._http.close()


def _metadata(config: RpcConfig, call: Call) -> tuple[tuple[str, str], ...]:
    return (
        ("idempotency-key", wire_text(call.key)),
        ("x-request-id", wire_text(call.request_id or call.instance_id)),
        ("traceparent", traceparent(call)),
        *config.metadata.items(),
    )


def _timed_out(service: Service, *, sent: bool) -> TaskFailed:
    if sent:
        return TaskFailed(
            Sort.MAYBE_APPLIED,
            "GRPC_DEADLINE_EXCEEDED",
            text("{service} did not answer in time; it may have done what was asked.", service=service.name),
            type="Timeout",
        )
    return TaskFailed(
        Sort.NEVER_SENT,
        "CONNECT_TIMEOUT",
        text("No connection to {service} in time.", service=service.name),
        type="Timeout",
    )
