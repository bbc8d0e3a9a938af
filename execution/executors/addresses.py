"""Which addresses a target may have: the guard against requests forged through us (SSRF).

Three classes. Forbidden ones (link-local, cloud metadata, multicast, reserved, ...) are never dialled,
whatever the settings say. Internal ones (loopback, RFC 1918, ULA, carrier NAT) only where `allow_networks`
holds the address or `allow_hosts` the name. All others are open. IPv6 forms that carry an IPv4 address are
judged by what they carry. The table is our own: CPython's `ipaddress` calls some NAT64 and 6to4 forms of
private addresses global, and 100.64.0.0/10 neither global nor private.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from enum import Enum

from disttask_project.kernel.messages import text
from execution.domain.outcome import Sort, TaskFailed

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_FORBIDDEN_V4 = (
    "0.0.0.0/8",  # this network; Linux connects it to loopback
    "169.254.0.0/16",  # link-local, most clouds' metadata
    "100.100.100.200/32",  # metadata of Alibaba Cloud
    "168.63.129.16/32",  # wire server of Azure
    "192.0.0.0/24",  # IETF protocols; 192.0.0.192 is metadata of Oracle Cloud
    "192.0.2.0/24",
    "192.88.99.0/24",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "224.0.0.0/4",
    "240.0.0.0/4",  # reserved, and broadcast
)
_INTERNAL_V4 = ("127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "198.18.0.0/15")
_FORBIDDEN_V6 = (
    "fd00:ec2::/32",  # metadata of AWS
    "fd20:ce::/32",  # metadata of Google Cloud
    "2001::/23",  # IETF protocols, Teredo
    "2001:db8::/32",
    "3fff::/20",
)
_INTERNAL_V6 = ("::1/128", "fc00::/7")
_GLOBAL_V6 = "2000::/3"  # what is neither internal nor in here is multicast, link-local, reserved or not assigned


class Verdict(Enum):
    OPEN = "open"
    INTERNAL = "internal"  # not listed as allowed
    FORBIDDEN = "forbidden"


class AddressDenied(TaskFailed):
    """The target's address may not be dialled; nothing was sent, and no retry will change that."""

    def __init__(self, host: str, verdict: Verdict, *, setting: str) -> None:
        reason = (
            text("{host} is not an address that tasks may call.", host=host)
            if verdict is Verdict.FORBIDDEN
            else text(
                "{host} is an internal address. Add its network to {setting}.allow_networks, or its name to "
                "{setting}.allow_hosts, if tasks shall call it.",
                host=host,
                setting=setting,
            )
        )
        super().__init__(Sort.REFUSED, "ADDRESS_DENIED", reason, type="AddressDenied")
        self.verdict = verdict


def _ranges(networks: Sequence[str]) -> tuple[tuple[int, int], ...]:
    parsed = [ipaddress.ip_network(network) for network in networks]
    return tuple((int(network[0]), int(network[-1])) for network in parsed)


_FORBIDDEN = {4: _ranges(_FORBIDDEN_V4), 6: _ranges(_FORBIDDEN_V6)}
_INTERNAL = {4: _ranges(_INTERNAL_V4), 6: _ranges(_INTERNAL_V6)}
_GLOBAL = _ranges([_GLOBAL_V6])


def _within(number: int, ranges: Sequence[tuple[int, int]]) -> bool:
    return any(first <= number <= last for first, last in ranges)


# Prefixes with an IPv4 address behind them: (prefix, its length, how far right of the top the address ends).
_CARRIERS = tuple(
    (int(ipaddress.IPv6Address(prefix)) >> (128 - length), 128 - length, 128 - end)
    for prefix, length, end in (
        ("::ffff:0:0", 96, 128),  # mapped
        ("::ffff:0:0:0", 96, 128),  # translated (SIIT)
        ("64:ff9b::", 96, 128),  # NAT64
        ("2002::", 16, 48),  # 6to4
    )
)
_ISATAP = (0x00005EFE, 0x02005EFE)


def parse_address(host: str) -> Address | None:
    """The address that a literal host stands for (brackets and zone taken off), None where it is a name."""
    try:
        return ipaddress.ip_address(host.strip("[]").partition("%")[0])
    except ValueError:
        return None


def carried(address: Address) -> Address:
    """The IPv4 address inside an IPv6 form, else the address itself."""
    if address.version == 4:
        return address
    number = int(address)
    for prefix, shift, end in _CARRIERS:
        if number >> shift == prefix:
            return ipaddress.IPv4Address(number >> end & 0xFFFF_FFFF)
    # ::a.b.c.d, the deprecated compatible form; :: and ::1 are addresses of their own.
    if number >> 32 == 0 and number > 1:
        return ipaddress.IPv4Address(number)
    if number >> 32 & 0xFFFF_FFFF in _ISATAP:
        return ipaddress.IPv4Address(number & 0xFFFF_FFFF)
    return address


class AddressRule:
    """The rule with one deployment's lists. `setting` is the section named in messages (`http`, `rpc`)."""

    def __init__(
        self, *, allow_networks: Sequence[str] = (), allow_hosts: Sequence[str] = (), setting: str = "http"
    ) -> None:
        self._networks: tuple[Network, ...] = tuple(
            ipaddress.ip_network(network, strict=False) for network in allow_networks
        )
        names = [host.lower().rstrip(".") for host in allow_hosts]
        self._names = frozenset(name for name in names if not name.startswith("*."))
        self._suffixes = tuple(name[1:] for name in names if name.startswith("*."))
        self.setting = setting

    def verdict(self, address: Address, *, host: str = "") -> Verdict:
        """The class of an address that `host` led to."""
        address = carried(address)
        number = int(address)
        if _within(number, _FORBIDDEN[address.version]):
            return Verdict.FORBIDDEN
        if not _within(number, _INTERNAL[address.version]):
            is_open = address.version == 4 or _within(number, _GLOBAL)
            return Verdict.OPEN if is_open else Verdict.FORBIDDEN
        if any(address in network for network in self._networks) or self._is_listed(host):
            return Verdict.OPEN
        return Verdict.INTERNAL

    def check(self, address: Address, *, host: str = "") -> None:
        """Raise `AddressDenied` unless the address may be dialled."""
        verdict = self.verdict(address, host=host)
        if verdict is not Verdict.OPEN:
            raise AddressDenied(host or str(address), verdict, setting=self.setting)

    def allowed(self, host: str, addresses: Sequence[str]) -> list[str]:
        """Those of a name's addresses that may be dialled.

        One forbidden address condemns the name: no honest one has it. Internal ones that are not listed are
        left out (`localhost` is ::1 as well, where only 127.0.0.0/8 is listed). Raises `AddressDenied` if
        none is left.
        """
        kept = []
        for raw in addresses:
            address = parse_address(raw)
            verdict = Verdict.FORBIDDEN if address is None else self.verdict(address, host=host)
            if verdict is Verdict.FORBIDDEN:
                raise AddressDenied(host, verdict, setting=self.setting)
            if verdict is Verdict.OPEN:
                kept.append(raw)
        if not kept:
            raise AddressDenied(host, Verdict.INTERNAL, setting=self.setting)
        return kept

    def _is_listed(self, host: str) -> bool:
        name = host.lower().rstrip(".")
        return name in self._names or (bool(self._suffixes) and name.endswith(self._suffixes))
