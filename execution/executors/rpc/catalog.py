"""Descriptors of the task catalog, for the executor: read on a thread of its own, few of them kept."""

from __future__ import annotations

import asyncio
import math
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

from django.db import Error, connections
from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.descriptor_pool import DescriptorPool

from disttask_project.kernel.messages import Message, text
from execution.domain.outcome import Sort, TaskFailed
from flows import describing
from flows.domain.descriptors import BadDescriptors, build_pool, find_service, read_set

_LOOK_SECONDS: Final = 10.0  # between two looks at which sets there are
_MAX_POOLS: Final = 32
Value = TypeVar("Value")


class CatalogLibrary:
    """`Library` over the store. A store that is away stops only what was not known before."""

    def __init__(self) -> None:
        self._newest: Mapping[str, str] = {}
        self._looked_at = -math.inf
        self._pools: OrderedDict[str, DescriptorPool] = OrderedDict()
        self._reading = asyncio.Lock()
        self._thread: ThreadPoolExecutor | None = None

    async def find(self, service: str, *, pinned: str) -> tuple[str, ServiceDescriptor] | None:
        if not pinned and time.monotonic() - self._looked_at > _LOOK_SECONDS:
            await self._look()
        digest = pinned.removeprefix("sha256:") or self._newest.get(service)
        if not digest:
            return None
        pool = self._pools.get(digest) or await self._loaded(digest)
        if pool is None:
            return None
        try:
            return digest, find_service(pool, service)
        except BadDescriptors as error:
            raise _undescribed(service, text("the descriptor set {hash} has no such service", hash=digest)) from error

    async def _look(self) -> None:
        async with self._reading:
            if time.monotonic() - self._looked_at <= _LOOK_SECONDS:
                return  # somebody was faster
            try:
                self._newest = await self._read(describing.newest_by_service)
            except Error as error:
                if self._looked_at == -math.inf:
                    raise _away(error) from error
            self._looked_at = time.monotonic()

    async def _loaded(self, digest: str) -> DescriptorPool | None:
        async with self._reading:
            pool = self._pools.get(digest)
            if pool is None:
                try:
                    pool = await self._read(lambda: _built(digest))
                except Error as error:
                    raise _away(error) from error
            if pool is not None:
                self._pools[digest] = pool
                while len(self._pools) > _MAX_POOLS:
                    self._pools.popitem(last=False)
            return pool

    async def _read(self, read: Callable[[], Value]) -> Value:
        if self._thread is None:
            self._thread = ThreadPoolExecutor(1, thread_name_prefix="rpc-catalog")
        return await asyncio.get_running_loop().run_in_executor(self._thread, _on_own_connection, read)

    def close(self) -> None:
        self._reading = asyncio.Lock()  # a lock belongs to one loop
        thread, self._thread = self._thread, None
        if thread is not None:
            thread.shutdown(wait=False, cancel_futures=True)


def _on_own_connection(read: Callable[[], Value]) -> Value:
    try:
        return read()
    finally:
        connections.close_all()  # one look in ten seconds is not worth a connection kept


def _built(digest: str) -> DescriptorPool | None:
    content = describing.content_of(digest)
    return None if content is None else build_pool(read_set(content))


def _undescribed(service: str, reason: Message) -> TaskFailed:
    return TaskFailed(
        Sort.REFUSED,
        "RPC_NO_DESCRIPTORS",
        text("Nothing describes {service}: {reason}.", service=service, reason=reason),
    )


def _away(error: Exception) -> TaskFailed:
    return TaskFailed(
        Sort.NEVER_SENT,
        "CATALOG_UNAVAILABLE",
        text("The task catalog could not be read: {reason}.", reason=type(error).__name__),
        type="CatalogUnavailable",
    )
