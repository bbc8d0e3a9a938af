"""rpc over TLS, and over several targets: whom it trusts, how it shows itself, which target it takes."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import grpc
import pytest

from execution.domain.outcome import Sort, TaskFailed
from execution.executors.options import RpcOptions
from execution.executors.rpc import links
from execution.executors.rpc.executor import RpcExecutor
from execution.executors.rpc.services import BadService, read_service
from tests.contract.peers import free_port
from tests.fakes.certificates import Authority
from tests.fakes.grpc_server import GrpcServer, payment_file
from tests.unit.execution.executors.calls import call

SERVICE = "demo.v1.PaymentService"


def said(name: str) -> Any:
    return {"Deduct": lambda _request, _context: {"payment_id": name}}


async def paid(executor: RpcExecutor) -> str:
    """Who answered; like the engine it tries again where the call met the end of the connection."""
    try:
        answer = await executor.execute(call({"service": "pay", "method": "Deduct"}))
    except TaskFailed as error:
        if error.failure.sort is not Sort.MAYBE_APPLIED:
            raise
        answer = await executor.execute(call({"service": "pay", "method": "Deduct"}))
    return str(answer.value["paymentId"])


def asked(entry: dict[str, Any], *, times: int = 1, stop: GrpcServer | None = None) -> list[str]:
    """What answered each call; after the first one `stop` goes away."""

    async def work() -> list[str]:
        executor = RpcExecutor(RpcOptions(allow_networks=("127.0.0.0/8",), services={"pay": entry}, connect_timeout=3))
        found = []
        try:
            for number in range(times):
                found.append(await paid(executor))
                if stop is not None and not number:
                    await asyncio.to_thread(stop.stop)
        finally:
            await executor.close()
        return found

    return asyncio.run(work())


def refusal(entry: dict[str, Any]) -> tuple[str, Sort]:
    with pytest.raises(TaskFailed) as caught:
        asked(entry)
    return caught.value.failure.code, caught.value.failure.sort


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tls"))


def secured(authority: Authority, names: str, *, asks: bool = False) -> grpc.ServerCredentials:
    own = authority.pair("server", names)
    ca = authority.ca.cert.read_bytes() if asks else None
    return grpc.ssl_server_credentials([(own.key.read_bytes(), own.cert.read_bytes())], ca, asks)


@pytest.fixture
def server(authority: Authority) -> Iterator[GrpcServer]:
    """Asks for a certificate of the authority's, and is made out to a name that is not its address."""
    credentials = secured(authority, "DNS:pay.test", asks=True)
    with GrpcServer(payment_file(), said("secured"), credentials=credentials) as made:
        yield made


def entry(server: GrpcServer, authority: Authority, **more: Any) -> dict[str, Any]:
    client = authority.pair("client", "DNS:disttask")
    plain = {"service": SERVICE, "target": server.address, "tls": True, "server_name": "pay.test"}
    return (
        plain | {"ca_file": str(authority.ca.cert), "cert_file": str(client.cert), "key_file": str(client.key)} | more
    )


def test_it_shows_its_certificate(server: GrpcServer, authority: Authority) -> None:
    assert asked(entry(server, authority)) == ["secured"]


def test_certificates_may_be_secrets(server: GrpcServer, authority: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    given = entry(server, authority)
    monkeypatch.setenv("DISTTASK_SECRET_OUR_CERT_FILE", given["cert_file"])
    monkeypatch.setenv("DISTTASK_SECRET_OUR_KEY_FILE", given["key_file"])
    assert asked(given | {"cert_file": "${secret:OUR_CERT}", "key_file": "${secret:OUR_KEY}"}) == ["secured"]


@pytest.mark.parametrize("more", [{"ca_file": ""}, {"server_name": "other.test"}, {"server_name": ""}])
def test_without_trust_nothing_is_sent(server: GrpcServer, authority: Authority, more: dict[str, str]) -> None:
    assert refusal(entry(server, authority, **more)) == ("GRPC_UNAVAILABLE", Sort.NEVER_SENT)
    assert server.seen == []


def test_without_a_certificate_the_server_does_nothing(server: GrpcServer, authority: Authority) -> None:
    code, sort = refusal(entry(server, authority, cert_file="", key_file=""))
    assert (code, sort) == ("GRPC_UNAVAILABLE", Sort.NEVER_SENT)
    assert server.seen == []


def test_plain_text_is_never_fallen_back_to(authority: Authority) -> None:
    with GrpcServer(payment_file(), said("plain")) as server:
        assert refusal(entry(server, authority)) == ("GRPC_UNAVAILABLE", Sort.NEVER_SENT)
        assert server.seen == []


def test_certificates_that_do_not_fit_are_said(server: GrpcServer, authority: Authority) -> None:
    other = authority.pair("other", "DNS:other")
    assert refusal(entry(server, authority, key_file=str(other.key))) == ("BAD_CERTIFICATES", Sort.REFUSED)
    assert refusal(entry(server, authority, key_file="/nowhere.key")) == ("BAD_CERTIFICATES", Sort.REFUSED)


def test_changed_certificates_make_a_new_channel(
    server: GrpcServer, authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ca = tmp_path / "ca.pem"
    ca.write_bytes(authority.ca.cert.read_bytes())
    monkeypatch.setattr(links, "CHECK_SECONDS", 0)

    async def work() -> list[bool]:
        given = read_service("pay", entry(server, authority, ca_file=str(ca)))
        held = links.Links(RpcOptions(allow_networks=("127.0.0.0/8",)))
        loop = asyncio.get_running_loop()
        first = await held.link(given, deadline=loop.time() + 10)
        same = await held.link(given, deadline=loop.time() + 10)
        os.utime(ca, (1, 1))
        other = await held.link(given, deadline=loop.time() + 10)
        await held.close()
        return [same is first, other is first]

    assert asyncio.run(work()) == [True, False]


def test_several_targets_take_turns() -> None:
    with ExitStack() as stack:
        servers = [stack.enter_context(GrpcServer(payment_file(), said(name))) for name in "abc"]
        given = {"service": SERVICE, "targets": [server.address for server in servers]}
        assert Counter(asked(given, times=9)) == {"a": 3, "b": 3, "c": 3}


def test_a_target_that_is_away_is_passed_over() -> None:
    with GrpcServer(payment_file(), said("up")) as server:
        for balance in ("round_robin", "failover"):
            targets = [f"127.0.0.1:{free_port()}", server.address]
            assert asked({"service": SERVICE, "targets": targets, "balance": balance}, times=4) == ["up"] * 4
    assert refusal({"service": SERVICE, "targets": targets}) == ("GRPC_UNAVAILABLE", Sort.NEVER_SENT)


def test_failover_stays_with_the_first_while_it_is_up() -> None:
    with GrpcServer(payment_file(), said("first")) as first, GrpcServer(payment_file(), said("second")) as second:
        given = {"service": SERVICE, "targets": [first.address, second.address], "balance": "failover"}
        assert asked(given, times=3) == ["first"] * 3
        assert asked(given, times=3, stop=first) == ["first", "second", "second"]


def test_each_target_keeps_its_own_name(authority: Authority) -> None:
    """The authority that a target is called by, and its certificate judged by, is its own."""
    with GrpcServer(payment_file(), said("local"), credentials=secured(authority, "IP:127.0.0.1")) as server:
        port = server.address.rpartition(":")[2]
        targets = [f"127.0.0.2:{port}", server.address]
        given = {"service": SERVICE, "targets": targets, "tls": True, "ca_file": str(authority.ca.cert)}
        assert asked(given, times=2) == ["local"] * 2


def test_one_denied_target_is_no_reason_to_try_another() -> None:
    with GrpcServer(payment_file(), said("up")) as server:
        targets = ["169.254.169.254:1", server.address]
        given = {"service": SERVICE, "targets": targets, "balance": "failover"}
        assert refusal(given) == ("ADDRESS_DENIED", Sort.REFUSED)


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        ({"cert_file": "a"}, "needs its key"),
        ({"ca_file": "a"}, "tls = true"),
        ({"balance": "random"}, "round_robin or failover"),
        ({"protocol": "http-json", "ca_file": "a"}, "for grpc"),
    ],
)
def test_it_says_what_is_wrong_with_an_entry(raw: dict[str, str], words: str) -> None:
    with pytest.raises(BadService, match=words):
        read_service("pay", {"target": "a:1", **raw})
