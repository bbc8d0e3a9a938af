from __future__ import annotations

import pytest

from execution.domain.outcome import Sort
from execution.executors.addresses import AddressDenied, AddressRule, Verdict, carried, parse_address

FORBIDDEN = [
    "0.0.0.0",
    "0.1.2.3",
    "169.254.169.254",
    "169.254.0.1",
    "100.100.100.200",
    "168.63.129.16",
    "192.0.0.192",
    "192.0.0.8",
    "192.0.2.1",
    "198.51.100.7",
    "203.0.113.9",
    "192.88.99.1",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "fe80::1",
    "fe80::1%eth0",
    "febf::1",
    "fec0::1",
    "ff02::1",
    "fd00:ec2::254",
    "fd20:ce::254",
    "2001::1",
    "2001:db8::1",
    "3fff::1",
    "100::1",
    "64:ff9b:1::1",
    "::ffff:169.254.169.254",
    "::ffff:0:169.254.169.254",
    "::169.254.169.254",
    "64:ff9b::a9fe:a9fe",
    "2002:a9fe:a9fe::",
    "2a00::5efe:169.254.169.254",
    "2a00::200:5efe:169.254.169.254",
    "5f00::1",
    "[fe80::1]",
]
INTERNAL = [
    "127.0.0.1",
    "127.255.255.254",
    "10.0.0.1",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "100.64.0.1",
    "100.127.255.255",
    "198.18.0.1",
    "::1",
    "fc00::1",
    "fd12:3456::1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::127.0.0.1",
    "64:ff9b::7f00:1",
    "2002:7f00:1::",
    "2002:a00:1::1",
    "::ffff:0:10.0.0.1",
    "2a00::5efe:10.1.2.3",
    "[::1]",
]
OPEN = [
    "1.1.1.1",
    "8.8.8.8",
    "172.15.255.255",
    "172.32.0.1",
    "100.63.255.255",
    "100.128.0.1",
    "11.0.0.1",
    "126.255.255.255",
    "128.0.0.1",
    "223.255.255.254",
    "2606:4700::1111",
    "2a00:1450:4001::1",
    "::ffff:1.1.1.1",
    "64:ff9b::808:808",
    "2002:808:808::",
]


def verdict(address: str, rule: AddressRule | None = None, host: str = "") -> Verdict:
    parsed = parse_address(address)
    assert parsed is not None
    return (rule or AddressRule()).verdict(parsed, host=host)


@pytest.mark.parametrize("address", FORBIDDEN)
def test_it_never_dials_a_forbidden_address(address: str) -> None:
    assert verdict(address) is Verdict.FORBIDDEN


@pytest.mark.parametrize("address", FORBIDDEN)
def test_it_forbids_them_even_when_everything_is_allowed(address: str) -> None:
    rule = AddressRule(allow_networks=("0.0.0.0/0", "::/0"), allow_hosts=("evil.example",))
    assert verdict(address, rule, "evil.example") is Verdict.FORBIDDEN


@pytest.mark.parametrize("address", INTERNAL)
def test_it_refuses_an_internal_address_that_is_not_listed(address: str) -> None:
    assert verdict(address) is Verdict.INTERNAL


@pytest.mark.parametrize("address", OPEN)
def test_it_lets_public_addresses_pass(address: str) -> None:
    assert verdict(address) is Verdict.OPEN


def test_it_allows_listed_networks_in_every_spelling() -> None:
    rule = AddressRule(allow_networks=("127.0.0.0/8", "10.1.0.0/16", "::1/128"))
    for address in ("127.0.0.1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "10.1.2.3", "::1"):
        assert verdict(address, rule) is Verdict.OPEN
    assert verdict("10.2.0.1", rule) is Verdict.INTERNAL


def test_it_allows_listed_names_and_their_subdomains() -> None:
    rule = AddressRule(allow_hosts=("Payments.Internal", "*.svc.cluster.local"))
    assert verdict("10.0.0.1", rule, "payments.internal.") is Verdict.OPEN
    assert verdict("10.0.0.1", rule, "a.svc.cluster.local") is Verdict.OPEN
    assert verdict("10.0.0.1", rule, "svc.cluster.local.evil.example") is Verdict.INTERNAL
    assert verdict("10.0.0.1", rule, "evilsvc.cluster.local") is Verdict.INTERNAL


def test_it_condemns_a_name_with_one_forbidden_address() -> None:
    with pytest.raises(AddressDenied) as caught:
        AddressRule().allowed("rebinding.example", ["1.1.1.1", "169.254.169.254"])
    assert caught.value.failure.sort is Sort.REFUSED
    assert caught.value.failure.code == "ADDRESS_DENIED"


def test_it_dials_only_the_allowed_addresses_of_a_name() -> None:
    rule = AddressRule(allow_networks=("127.0.0.0/8",))
    assert rule.allowed("localhost", ["::1", "127.0.0.1"]) == ["127.0.0.1"]
    with pytest.raises(AddressDenied, match=r"http\.allow_networks"):
        rule.allowed("db.internal", ["10.0.0.1"])


def test_it_does_not_take_a_name_for_an_address() -> None:
    for host in ("localhost", "2130706433", "0x7f.1", "0177.0.0.1", "127.1", ""):
        assert parse_address(host) is None


def test_it_leaves_plain_ipv6_alone() -> None:
    address = parse_address("2606:4700::1111")
    assert address is not None
    assert carried(address) is address
