"""Names looked up once, every address checked, connections made to checked addresses only."""

from __future__ import annotations

import asyncio
import socket
from contextvars import ContextVar

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.connector import AddrInfoType

from execution.executors.addresses import AddressDenied, AddressRule, Verdict, parse_address

# The host of the request under way in this context: `socket_factory` gets an address only, but `allow_hosts`
# speaks of names. Tasks that aiohttp starts for a connection inherit it.
current_host: ContextVar[str] = ContextVar("current_host", default="")


async def look_up(host: str, port: int, rule: AddressRule) -> list[tuple[socket.AddressFamily, str]]:
    """The addresses of a host that may be dialled. Raises `OSError` (not found) or `AddressDenied`."""
    literal = parse_address(host)
    if literal is not None:
        rule.check(literal, host=host)
        return [(socket.AF_INET if literal.version == 4 else socket.AF_INET6, str(literal))]
    loop = asyncio.get_running_loop()
    infos = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)
    families = {str(info[4][0]): info[0] for info in infos}
    return [(families[address], address) for address in rule.allowed(host, list(families))]


class CheckedResolver(AbstractResolver):
    """aiohttp's resolver under an address rule."""

    def __init__(self, rule: AddressRule) -> None:
        self._rule = rule

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=found,
                proto=socket.IPPROTO_TCP,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for found, address in await look_up(host, port, self._rule)
        ]

    async def close(self) -> None:
        return None


class CheckedSockets:
    """A socket factory that makes no socket for an address the rule refuses: the last door, also for
    literals.
    """

    def __init__(self, rule: AddressRule) -> None:
        self._rule = rule

    def __call__(self, info: AddrInfoType) -> socket.socket:
        family, kind, protocol, _name, where = info
        address = parse_address(str(where[0]))
        host = current_host.get() or str(where[0])
        if address is None:
            raise AddressDenied(host, Verdict.FORBIDDEN, setting=self._rule.setting)
        self._rule.check(address, host=host)
        made = socket.socket(family=family, type=kind, proto=protocol)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return made
