"""aiohttp's connector and protocol under our rules: checked sockets, no answer that nobody asked for."""

from __future__ import annotations

from contextvars import ContextVar
from functools import partial
from typing import Any, Final

import aiohttp
from aiohttp.client import ClientTimeout
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import Connection
from aiohttp.http_exceptions import HttpProcessingError

from execution.executors.addresses import AddressRule
from execution.executors.http_failures import Progress
from execution.executors.resolving import CheckedResolver, CheckedSockets

MAX_INTERIM: Final = 32  # answers of class 1xx before the real one; a flood of them would burn the whole deadline
_INTERIM: Final = range(100, 200)

progress: ContextVar[Progress] = ContextVar("progress")


class Protocol(ResponseHandler):
    """Gives up on a server that sends interim answers without end."""

    _interim = 0

    def feed_data(self, data: Any, size: int = 0) -> None:
        if data[0].code in _INTERIM:
            self._interim += 1
            if self._interim > MAX_INTERIM:
                self._refuse()
                return
        super().feed_data(data, size)

    def set_response_params(self, **how: Any) -> None:
        self._interim = 0
        super().set_response_params(**how)

    def _refuse(self) -> None:
        if self.transport is not None:
            self.transport.close()
        self._buffer.clear()
        if self._exception is None:
            self.set_exception(HttpProcessingError(code=400, message="more interim answers than we accept"))


class Connector(aiohttp.TCPConnector):
    """Dials only what the rule allows, and marks in `progress` when a request may have left."""

    def __init__(self, rule: AddressRule) -> None:
        super().__init__(
            limit=0,  # the engine's slots bound the calls
            resolver=CheckedResolver(rule),
            socket_factory=CheckedSockets(rule),
            ttl_dns_cache=30,
            keepalive_timeout=15,
        )
        self._factory: Any = partial(Protocol, loop=self._loop)

    async def connect(self, req: aiohttp.ClientRequest, traces: list[Any], timeout: ClientTimeout) -> Connection:
        connection = await super().connect(req, traces, timeout)
        if _spoke_unasked(connection):
            # What came while the connection lay idle would be taken for the answer to this request.
            connection.close()
            connection = await super().connect(req, traces, timeout)
            if _spoke_unasked(connection):
                connection.close()
                raise aiohttp.ClientConnectionError("the server speaks before it is asked")
        progress.get().connected = True
        return connection


def _spoke_unasked(connection: Connection) -> bool:
    protocol = connection.protocol
    return protocol is not None and protocol.should_close and protocol.is_connected()
