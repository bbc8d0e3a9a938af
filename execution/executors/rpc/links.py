"""gRPC channels to checked addresses: one to each target of a service, in turn or the first that is up."""

from __future__ import annotations

import asyncio
import math
import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import grpc
from google.protobuf.descriptor import ServiceDescriptor
from grpc import aio

from disttask_project.kernel.messages import text
from execution.domain.outcome import Sort, TaskFailed
from execution.executors.addresses import AddressRule
from execution.executors.options import RpcOptions
from execution.executors.resolving import look_up
from execution.executors.rpc.messages import Method
from execution.executors.rpc.services import ROUND_ROBIN, Service
from execution.executors.sealing import outside_text
from execution.executors.tls import CHECK_SECONDS, context_of, read_pems, stamp_of

_MAX_LINKS: Final = 100
_GRACE: Final = 60.0  # for calls still running on a channel that is given up
_DOWN_SECONDS: Final = 5.0  # how long a target that took no connection goes last
_READY: Final = grpc.ChannelConnectivity.READY
_FAILED: Final = frozenset({grpc.ChannelConnectivity.TRANSIENT_FAILURE, grpc.ChannelConnectivity.SHUTDOWN})
Target = tuple[str, int]
Place = tuple[Service, Target]


@dataclass(slots=True)
class Link:
    """One channel, and what is known of the service behind it."""

    channel: aio.Channel
    place: Place
    methods: dict[str, tuple[Method, Any]] = field(default_factory=dict)
    described_at: float = -math.inf
    service: ServiceDescriptor | None = None
    asking: asyncio.Lock = field(default_factory=asyncio.Lock)  # one question to the server, whoever waits for it
    stamp: tuple[Any, ...] = ()  # of its certificates
    checked_at: float = 0.0


class Links:
    """The links of one process and loop."""

    def __init__(self, options: RpcOptions) -> None:
        self._options = options
        self._rule = AddressRule(allow_networks=options.allow_networks, allow_hosts=options.allow_hosts, setting="rpc")
        self._links: OrderedDict[Place, Link] = OrderedDict()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closing: set[asyncio.Task[None]] = set()
        self._turn = 0
        self._down: dict[Target, float] = {}

    async def link(self, service: Service, *, deadline: float) -> Link:
        """A connected link to one of the service's targets. Raises `TaskFailed` (never sent, or refused by the address
        rule): nothing has left, so the next target is tried.
        """
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            self._loop = loop
            self._links.clear()  # their loop is gone, and they with it
        if len(service.targets) == 1:
            return await self._link((service, service.targets[0]), deadline)
        failure: TaskFailed | None = None
        for target in self._in_order(service):
            try:
                found = await self._link((service, target), deadline)
            except TaskFailed as error:
                if error.failure.sort is not Sort.NEVER_SENT:
                    raise
                self._down[target] = time.monotonic() + _DOWN_SECONDS
                failure = error
            else:
                self._down.pop(target, None)
                return found
        assert failure is not None
        raise failure

    def _in_order(self, service: Service) -> Sequence[Target]:
        targets = service.targets
        if service.balance == ROUND_ROBIN:
            self._turn += 1
            first = self._turn % len(targets)
            targets = targets[first:] + targets[:first]
        now = time.monotonic()
        return sorted(targets, key=lambda target: self._down.get(target, 0.0) > now)

    async def _link(self, place: Place, deadline: float) -> Link:
        link = self._links.get(place)
        if link is not None and place[0].tls and self._is_outdated(link):
            self.forget(link)
            link = None
        if link is None:
            link = await self._made(place)
            known = self._links.setdefault(place, link)
            if known is not link:  # somebody was faster while the name was looked up
                self._close(link)
                link = known
            while len(self._links) > _MAX_LINKS:
                self._close(self._links.popitem(last=False)[1])
        else:
            self._links.move_to_end(place)
        if link.channel.get_state(try_to_connect=True) is not _READY:
            await self._connected(link, deadline)
        return link

    def _is_outdated(self, link: Link) -> bool:
        """Its certificates have changed since."""
        now = time.monotonic()
        if now - link.checked_at < CHECK_SECONDS:
            return False
        link.checked_at = now
        return stamp_of(link.place[0].certificates) != link.stamp

    def forget(self, link: Link) -> None:
        """Give a link up: the next call looks the name up again and connects anew."""
        if self._links.get(link.place) is link:
            del self._links[link.place]
            self._close(link)

    async def close(self) -> None:
        links, self._links = list(self._links.values()), OrderedDict()
        if self._loop is asyncio.get_running_loop():
            for task in self._closing:
                task.cancel()
            await asyncio.gather(*self._closing, *(link.channel.close(None) for link in links), return_exceptions=True)

    async def _made(self, place: Place) -> Link:
        service, (host, port) = place
        addresses = await self._addresses(host, port)
        # One scheme speaks of one family; IPv4 first, as most servers listen there.
        family = "ipv4" if any(item.startswith("ipv4:") for item in addresses) else "ipv6"
        chosen = [item.removeprefix(f"{family}:") for item in addresses if item.startswith(f"{family}:")]
        target = f"{family}:{','.join(chosen)}"
        options = self._channel_options(service, host, port)
        interceptors: None = None
        if not service.tls:
            channel = aio.insecure_channel(target, options=options, interceptors=interceptors)
            return Link(channel=channel, place=place)
        stamp = stamp_of(service.certificates)
        pems = read_pems(service.certificates, name=service.name)
        context_of(pems, name=service.name)  # gRPC would say of unusable ones only that it cannot connect
        credentials = grpc.ssl_channel_credentials(pems.ca, pems.key, pems.cert)
        channel = aio.secure_channel(target, credentials, options=options, interceptors=interceptors)
        return Link(channel=channel, place=place, stamp=stamp, checked_at=time.monotonic())

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

    def _channel_options(self, service: Service, host: str, port: int) -> list[tuple[str, Any]]:
        limit = self._options.max_message_bytes
        named = service.server_name or host
        options: list[tuple[str, Any]] = [
            ("grpc.default_authority", f"[{named}]:{port}" if ":" in named else f"{named}:{port}"),
            ("grpc.max_receive_message_length", limit),
            ("grpc.max_send_message_length", limit),
            ("grpc.enable_http_proxy", 0),
            ("grpc.enable_retries", 0),
            ("grpc.service_config_disable_resolution", 1),
            ("grpc.use_local_subchannel_pool", 1),
            ("grpc.primary_user_agent", "disttask"),
        ]
        return options

    async def _connected(self, link: Link, deadline: float) -> None:
        until = min(deadline, time.monotonic() + self._options.connect_timeout)
        host, port = link.place[1]
        try:
            async with asyncio.timeout_at(until):
                is_ready = await _settled(link.channel)
        except TimeoutError:
            self.forget(link)
            raise TaskFailed(
                Sort.NEVER_SENT,
                "CONNECT_TIMEOUT",
                text("No connection to {host}:{port} in time.", host=host, port=port),
                type="Timeout",
            ) from None
        if not is_ready:
            self.forget(link)
            raise no_connection(link)

    def _close(self, link: Link) -> None:
        task = asyncio.get_running_loop().create_task(link.channel.close(_GRACE))
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)


def no_connection(link: Link) -> TaskFailed:
    service, (host, port) = link.place
    if service.tls:
        # The library does not say which: its connectivity has no reason.
        message = text(
            "No secure connection to {host}:{port}: nobody there, or certificates that do not fit.",
            host=host,
            port=port,
        )
    else:
        message = text("No connection to {host}:{port}.", host=host, port=port)
    return TaskFailed(Sort.NEVER_SENT, "GRPC_UNAVAILABLE", message, type="ConnectionFailed")


async def _settled(channel: aio.Channel) -> bool:
    """Wait until the channel is connected, or has failed to."""
    while (state := channel.get_state(try_to_connect=True)) is not _READY:
        if state in _FAILED:
            return False
        await channel.wait_for_state_change(state)
    return True
