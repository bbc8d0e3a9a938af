"""Which method a call means: by the task catalog's descriptors where it has some, else by the server's own."""

from __future__ import annotations

import time
from typing import Any, Final, Protocol

from google.protobuf.descriptor import ServiceDescriptor
from grpc import aio

from disttask_project.kernel.messages import Message, text
from execution.domain.outcome import Sort, TaskFailed
from execution.executors.options import RpcOptions
from execution.executors.rpc.links import Link, Links, no_connection
from execution.executors.rpc.messages import Method, find_method
from execution.executors.rpc.reflection import describe
from execution.executors.rpc.status import status_failure
from flows.domain.descriptors import BadDescriptors

_REFRESH_SECONDS: Final = 5.0  # at the earliest, for a method that the known descriptors lack
_MAX_METHODS: Final = 500


class Library(Protocol):
    """Descriptors that were uploaded."""

    async def find(self, service: str, *, pinned: str) -> tuple[str, ServiceDescriptor] | None:
        """Those of the set with the hash `pinned`, or of the newest set with that service; the hash comes along. None
        where there is no set with it. Raises `TaskFailed`.
        """


class Methods:
    def __init__(self, options: RpcOptions, links: Links, library: Library | None) -> None:
        self._options = options
        self._links = links
        self._library = library

    async def find(self, link: Link, name: str, *, pinned: str, deadline: float) -> tuple[Method, Any]:
        """A method and its callable. Raises `TaskFailed`; nothing is sent yet."""
        service = link.place[0].name
        if self._library is not None:
            listed = await self._library.find(service, pinned=pinned)
            if listed is not None:
                return _known(link, f"{listed[0]}/{name}", listed[1], name)
        if pinned:
            raise _undescribed(service, text("the task catalog has no descriptor set {hash}", hash=pinned[:80]))
        known = link.methods.get(name)
        if known is not None and not self._is_stale(link):
            return known
        async with link.asking:
            if self._must_ask(link, name):
                link.service = await self._described(link, deadline)
                link.described_at = time.monotonic()
                link.methods.clear()
        assert link.service is not None  # described above, or before
        return _known(link, name, link.service, name)

    def _is_stale(self, link: Link) -> bool:
        return time.monotonic() - link.described_at > self._options.descriptor_seconds

    def _must_ask(self, link: Link, name: str) -> bool:
        if self._is_stale(link) or link.service is None:
            return True
        is_lacking = name not in link.service.methods_by_name
        return is_lacking and time.monotonic() - link.described_at > _REFRESH_SECONDS

    async def _described(self, link: Link, deadline: float) -> ServiceDescriptor:
        service = link.place[0].name
        try:
            return await describe(link.channel, service, timeout=max(0.001, deadline - time.monotonic()))
        except BadDescriptors as error:
            raise _undescribed(service, error.message) from error
        except aio.AioRpcError as error:
            self._links.forget(link)
            raise status_failure(error, sent=False) from error
        except aio.UsageError as error:  # given up by another call while this one waited
            raise no_connection(link) from error


def _known(link: Link, key: str, service: ServiceDescriptor, name: str) -> tuple[Method, Any]:
    known = link.methods.get(key)
    if known is None:
        method = find_method(service, name)
        if len(link.methods) >= _MAX_METHODS:
            link.methods.clear()
        known = link.methods[key] = (method, link.channel.unary_unary(method.path, _as_bytes, _as_bytes))
    return known


def _undescribed(service: str, reason: Message) -> TaskFailed:
    return TaskFailed(
        Sort.REFUSED,
        "RPC_NO_DESCRIPTORS",
        text("Nothing describes {service}: {reason}.", service=service, reason=reason),
    )


def _as_bytes(raw: bytes) -> bytes:
    # Messages are made and read by `messages`; the stubs want functions here.
    return raw
