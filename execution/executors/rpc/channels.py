"""gRPC channels to checked addresses, pooled for each service; with the descriptors each server gave."""

from __future__ import annotations

import asyncio
import math
import time
from collections import OrderedDict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import grpc
from google.protobuf.descriptor import ServiceDescriptor
from grpc import aio

from disttask_project.kernel.messages import text
from execution.domain.outcome import Sort, TaskFailed
from execution.executors.addresses import AddressRule
from execution.executors.options import RpcOptions
from execution.executors.resolving import look_up
from execution.executors.rpc.messages import Method, find_method
from execution.executors.rpc.reflection import NoDescriptors, describe
from execution.executors.rpc.services import Service
from execution.executors.rpc.status import status_failure
from execution.executors.sealing import outside_text

_MAX_CHANNELS: Final = 100
_GRACE: Final = 60.0  # for calls still running on a channel that is given up
_READY: Final = grpc.ChannelConnectivity.READY
_FAILED: Final = frozenset({grpc.ChannelConnectivity.TRANSIENT_FAILURE, grpc.ChannelConnectivity.SHUTDOWN})
_REFRESH_SECONDS: Final = 5.0  # at the earliest, for a method that the known descriptors lack


@dataclass(slots=True)
class Link:
    """One channel, and what is known of the service behind it."""

    channel: aio.Channel
    made_at: float
    methods: dict[str, tuple[Method, Any]] = field(default_factory=dict)
    described_at: float = -math.inf
    service: ServiceDescriptor | None = None
    asking: asyncio.Lock = field(default_factory=asyncio.Lock)  # one question to the server, whoever waits for it


class Channels:
    """The links of one process and loop."""

    def __init__(self, options: RpcOptions) -> None:
        self._options = options
        self._rule = AddressRule(allow_networks=options.allow_networks, allow_hosts=options.allow_hosts, setting="rpc")
        self._links: OrderedDict[Service, Link] = OrderedDict()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closing: set[asyncio.Task[None]] = set()

    async def link(self, service: Service, *, deadline: float) -> Link:
        """A connected link. Raises `TaskFailed` (never sent, or refused by the address rule)."""
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            self._loop = loop
            self._links.clear()  # their loop is gone, and they with it
        link = self._links.get(service)
        if link is None:
            link = await self._made(service)
            known = self._links.setdefault(service, link)
            if known is not link:  # somebody was faster while the name was looked up
                self._close(link)
                link = known
            while len(self._links) > _MAX_CHANNELS:
                self._close(self._links.popitem(last=False)[1])
        else:
            self._links.move_to_end(service)
        if link.channel.get_state(try_to_connect=True) is not _READY:
            await self._connected(service, link, deadline)
        return link

    async def method(self, service: Service, link: Link, name: str, *, deadline: float) -> tuple[Method, Any]:
        """A method and its callable, by the server's descriptors. Raises `TaskFailed`; nothing is sent yet."""
        known = link.methods.get(name)
        if known is not None and not self._is_stale(link):
            return known
        async with link.asking:
            if self._must_ask(link, name):
                link.service = await self._described(service, link, deadline)
                link.described_at = time.monotonic()
                link.methods.clear()
        assert link.service is not None  # described above, or before
        method = find_method(link.service, name)
        link.methods[name] = (method, link.channel.unary_unary(method.path, _as_bytes, _as_bytes))
        return link.methods[name]

    def _is_stale(self, link: Link) -> bool:
        return time.monotonic() - link.described_at > self._options.descriptor_seconds

    def _must_ask(self, link: Link, name: str) -> bool:
        if self._is_stale(link) or link.service is None:
            return True
        is_lacking = name not in link.service.methods_by_name
        return is_lacking and time.monotonic() - link.described_at > _REFRESH_SECONDS

    def forget(self, service: Service, link: Link) -> None:
        """Give a link up: the next call looks the name up again and connects anew."""
        if self._links.get(service) is link:
            del self._links[service]
            self._close(link)

    async def close(self) -> None:
        links, self._links = list(self._links.values()), OrderedDict()
        if self._loop is asyncio.get_running_loop():
            for task in self._closing:
                task.cancel()
            await asyncio.gather(*self._closing, *(link.channel.close(None) for link in links), return_exceptions=True)

    async def _described(self, service: Service, link: Link, deadline: float) -> ServiceDescriptor:
        try:
            return await describe(link.channel, service.name, timeout=max(0.001, deadline - time.monotonic()))
        except NoDescriptors as error:
            raise TaskFailed(
                Sort.REFUSED,
                "RPC_NO_DESCRIPTORS",
                text("Nothing describes {service}: {reason}.", service=service.name, reason=error.message),
            ) from error
        except aio.AioRpcError as error:
            self.forget(service, link)
            raise status_failure(error, sent=False) from error
        except aio.UsageError as error:  # given up by another call while this one waited
            host, port = service.targets[0]
            raise _no_connection(host, port) from error

    async def _made(self, service: Service) -> Link:
        addresses: list[str] = []
        for host, port in service.targets:
            addresses += await self._addresses(host, port)
        # One scheme speaks of one family; IPv4 first, as most servers listen there.
        family = "ipv4" if any(item.startswith("ipv4:") for item in addresses) else "ipv6"
        chosen = [item.removeprefix(f"{family}:") for item in addresses if item.startswith(f"{family}:")]
        target = f"{family}:{','.join(chosen)}"
        options = self._channel_options(service, several=len(service.targets) > 1)
        interceptors: None = None
        if service.tls:
            credentials = grpc.ssl_channel_credentials(_read_ca(service.ca_file))
            channel = aio.secure_channel(target, credentials, options=options, interceptors=interceptors)
        else:
            channel = aio.insecure_channel(target, options=options, interceptors=interceptors)
        return Link(channel=channel, made_at=time.monotonic())

    async def _addresses(self, host: str, port: int) -> list[str]:
        try:
            async with asyncio.timeout(self._options.connect_timeout):
                found = await look_up(host, port, self._rule)
        except OSError as error:
            raise TaskFailed(
                Sort.NEVER_SENT,
                "DNS_FAILED",
                text("The name {host} was not found: {reason}.", host=host, reason=outside_text(error, 300)),
            ) from error
        return [f"ipv6:[{item}]:{port}" if ":" in item else f"ipv4:{item}:{port}" for _, item in found]

    def _channel_options(self, service: Service, *, several: bool) -> list[tuple[str, Any]]:
        host, port = service.targets[0]
        authority = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        limit = self._options.max_message_bytes
        options: list[tuple[str, Any]] = [
            ("grpc.default_authority", authority),
            ("grpc.max_receive_message_length", limit),
            ("grpc.max_send_message_length", limit),
            ("grpc.enable_http_proxy", 0),
            ("grpc.enable_retries", 0),
            ("grpc.service_config_disable_resolution", 1),
            ("grpc.use_local_subchannel_pool", 1),
            ("grpc.primary_user_agent", "disttask"),
        ]
        return [*options, ("grpc.lb_policy_name", "round_robin")] if several else options

    async def _connected(self, service: Service, link: Link, deadline: float) -> None:
        until = min(deadline, time.monotonic() + self._options.connect_timeout)
        host, port = service.targets[0]
        try:
            async with asyncio.timeout_at(until):
                is_ready = await _settled(link.channel)
        except TimeoutError:
            self.forget(service, link)
            raise TaskFailed(
                Sort.NEVER_SENT,
                "CONNECT_TIMEOUT",
                text("No connection to {host}:{port} in time.", host=host, port=port),
                type="Timeout",
            ) from None
        if not is_ready:
            self.forget(service, link)
            raise _no_connection(host, port)

    def _close(self, link: Link) -> None:
        task = asyncio.get_running_loop().create_task(link.channel.close(_GRACE))
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)


def _no_connection(host: str, port: int) -> TaskFailed:
    return TaskFailed(
        Sort.NEVER_SENT,
        "GRPC_UNAVAILABLE",
        text("No connection to {host}:{port}.", host=host, port=port),
        type="ConnectionFailed",
    )


async def _settled(channel: aio.Channel) -> bool:
    """Wait until the channel is connected, or has failed to."""
    while (state := channel.get_state(try_to_connect=True)) is not _READY:
        if state in _FAILED:
            return False
        await channel.wait_for_state_change(state)
    return True


def _as_bytes(raw: bytes) -> bytes:
    # Messages are made and read by `messages`; the stubs want functions here.
    return raw


def _read_ca(path: str) -> bytes | None:
    if not path:
        return None
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise TaskFailed(Sort.REFUSED, "BAD_SERVICE", text("The ca_file of the service cannot be read.")) from error
