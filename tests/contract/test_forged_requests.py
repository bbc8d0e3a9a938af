"""SSRF: no spelling of a denied address, direct, by redirect or by a changing name, opens a socket to it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from execution.domain.outcome import Sort, TaskFailed
from execution.executors.base import Executor
from execution.executors.http import HttpExecutor
from execution.executors.options import HttpOptions, RpcOptions
from execution.executors.rpc.executor import RpcExecutor
from tests.contract.listening import resolve
from tests.fakes.http_server import HttpServer
from tests.unit.execution.executors.calls import call

# Loopback, private, metadata and reserved addresses in the spellings that guards have fallen for.
HOSTS = (
    *("127.0.0.1", "127.1", "127.0.1", "127.255.255.254", "2130706433", "0x7f000001", "0x7f.0.0.1", "0x7f.1"),
    *("0177.0.0.1", "0177.1", "017700000001", "127.0.0.1.", "127.000.000.001", "0", "0.0.0.0", "0x0", "00"),
    *("localhost", "LOCALHOST", "localhost.", "LocalHost", "①②⑦.⓪.⓪.①", "１２７.０.０.１", "127。0。0。1", "ⓛⓞⓒⓐⓛⓗⓞⓢⓣ"),
    *("[::1]", "[0:0:0:0:0:0:0:1]", "[0000::0001]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::127.0.0.1]"),
    *("[64:ff9b::7f00:1]", "[64:ff9b::127.0.0.1]", "[2002:7f00:1::]", "[::ffff:0:127.0.0.1]", "[::1%25lo]", "[::1%lo]"),
    *("10.0.0.1", "10.1", "0xa.0.0.1", "012.0.0.1", "167772161", "172.16.0.1", "172.31.255.255", "192.168.0.1"),
    *("192.168.1.1", "100.64.0.1", "100.127.255.254", "198.18.0.1", "[fc00::1]", "[fd12:3456:789a::1]"),
    *("[::ffff:10.0.0.1]", "[::ffff:192.168.1.1]", "[64:ff9b::a00:1]", "[2002:a00:1::1]", "[2002:c0a8:101::]"),
    *("169.254.169.254", "169.254.0.1", "2852039166", "0xa9fea9fe", "0xa9.0xfe.0xa9.0xfe", "0251.0376.0251.0376"),
    *("169.16689662", "169.254.43518", "[::ffff:169.254.169.254]", "[::ffff:a9fe:a9fe]", "[::169.254.169.254]"),
    *("[64:ff9b::a9fe:a9fe]", "[2002:a9fe:a9fe::]", "[fe80::1]", "[fe80::1%25eth0]", "[fec0::1]", "[fd00:ec2::254]"),
    *("[fd20:ce::254]", "100.100.100.200", "0x64.0x64.0x64.0xc8", "192.0.0.192", "168.63.129.16", "224.0.0.1"),
    *("239.255.255.250", "[ff02::1]", "255.255.255.255", "4294967295", "240.0.0.1", "[64:ff9b:1::1]", "[2001::1]"),
    *("[::ffff:0:169.254.169.254]", "[2a00::5efe:127.0.0.1]", "[2a00::200:5efe:169.254.169.254]", "[100::1]"),
    *("192.0.2.1", "198.51.100.1", "203.0.113.1", "[2001:db8::1]"),
)
# Whole URLs that mislead a reader about where they go; {port} is the trap's.
URLS = (
    *("http://allowed.example@127.0.0.1:{port}/", "http://allowed.example:80@127.0.0.1:{port}/"),
    *("http://127.0.0.1:{port}\\@allowed.example/", "http://allowed.example\\@127.0.0.1:{port}/"),
    *("http://127.0.0.1:{port}#@allowed.example/", "http://127.0.0.1:{port}?@allowed.example/"),
    *("http://allowed.example#@127.0.0.1:{port}/", "http:127.0.0.1:{port}/", "http:/127.0.0.1:{port}/"),
    *("http:///127.0.0.1:{port}/", "http:\\\\127.0.0.1:{port}/", "//127.0.0.1:{port}/", "127.0.0.1:{port}/"),
    *("HTTP://127.0.0.1:{port}/", " http://127.0.0.1:{port}/", "http://127.0.0.1:{port}/\r\nHost: allowed.example"),
    *("http://127.0.0.1\t:{port}/", "http://127.0.0.1%00:{port}/", "http://127.0.0.1\x00.example:{port}/"),
    *("ftp://127.0.0.1:{port}/", "file:///etc/passwd", "gopher://127.0.0.1:{port}/_x", "dict://127.0.0.1:{port}/"),
    *("unix:///var/run/docker.sock", "http+unix://%2Fvar%2Frun%2Fdocker.sock/", "ws://127.0.0.1:{port}/"),
    *("jar:http://127.0.0.1:{port}/!/", "data:text/plain,a", "javascript:alert(1)", "http://", "http://:{port}/", ""),
    *("http://[127.0.0.1]:{port}/", "http://[::1]:{port}@allowed.example/", "http://%31%32%37.0.0.1:{port}/"),
    *(
        "http://127.0.0.1%2f:{port}/",
        "http://127.0.0.1%23.example:{port}/",
        "http://[::1]]:{port}/",
        "http://[::1:{port}/",
    ),
)
TARGETS = (
    *("unix:/var/run/docker.sock", "unix:///tmp/x", "dns://8.8.8.8/127.0.0.1:1", "xds:///x", "ipv4:127.0.0.1:1"),
    *(
        "127.0.0.1",
        "http://127.0.0.1:1",
        "127.0.0.1:1,10.0.0.1:1",
        "user@127.0.0.1:1",
        "127.0.0.1:0",
        "127.0.0.1:99999",
    ),
    *("vsock:1:2", "unix-abstract:x", "ipv6:[::1]:1", "127.0.0.1:1/x", "127.0.0.1 :1", ":1", ""),
)


@pytest.fixture
def trap() -> Iterator[HttpServer]:
    with HttpServer() as server:
        yield server


def refusals(executor: Executor, configs: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """(what was asked, the code of its failure or "reached") of every config."""

    async def work() -> list[tuple[str, str]]:
        found = []
        for config in configs:
            shown = str(config.get("url") or config.get("target"))
            try:
                await executor.execute(call(config, timeout=3))
                found.append((shown, "reached"))
            except TaskFailed as error:
                found.append((shown, error.failure.code))
        await executor.close()
        return found

    return asyncio.run(work())


def test_no_spelling_of_a_denied_address_is_dialled(trap: HttpServer, connects: list[Any]) -> None:
    urls = [f"http://{host}:{trap.port}/ok" for host in HOSTS] + [f"https://{host}/" for host in HOSTS]
    found = refusals(HttpExecutor(HttpOptions()), [{"url": url} for url in urls])
    assert len(found) > 180
    assert {code for _, code in found} <= {"ADDRESS_DENIED", "BAD_URL", "BAD_CONFIG", "DNS_FAILED"}
    assert connects == []
    assert trap.connections == 0


def test_no_misleading_url_reaches_the_trap(trap: HttpServer, connects: list[Any]) -> None:
    urls = [url.format(port=trap.port) for url in URLS]
    found = refusals(HttpExecutor(HttpOptions()), [{"url": url} for url in urls])
    assert "reached" not in {code for _, code in found}
    assert connects == []
    assert trap.connections == 0


def test_the_first_address_of_most_is_denied_by_rule(connects: list[Any]) -> None:
    hosts = [host for host in HOSTS if host.startswith("[") and "%" not in host]
    found = refusals(HttpExecutor(HttpOptions()), [{"url": f"http://{host}/"} for host in hosts])
    assert {code for _, code in found} == {"ADDRESS_DENIED"}
    assert connects == []


def test_no_redirect_leads_anywhere(trap: HttpServer) -> None:
    with HttpServer() as entrance:
        executor = HttpExecutor(HttpOptions(allow_networks=("127.0.0.0/8",)))
        urls = [entrance.url(f"/redirect?to=http://{host}:{trap.port}/") for host in HOSTS if "%" not in host]
        found = refusals(executor, [{"url": url} for url in urls])
        assert {code for _, code in found} == {"HTTP_302"}
        assert trap.connections == 0


@pytest.mark.parametrize(
    "answers",
    [
        [["169.254.169.254"]],
        [["1.1.1.1", "169.254.169.254"]],
        [["127.0.0.1"]],
        [["10.0.0.1", "::1"]],
        [["::ffff:127.0.0.1"]],
        [["64:ff9b::7f00:1"]],
        [["fe80::1"]],
        [["0.0.0.0"]],
    ],
)
def test_no_name_leads_to_a_denied_address(
    answers: list[list[str]], connects: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    resolve(monkeypatch, answers)
    options = HttpOptions()
    assert refusals(HttpExecutor(options), [{"url": "http://rebind.example/"}])[0][1] == "ADDRESS_DENIED"
    rpc = RpcExecutor(RpcOptions())
    given = {"service": "a.B", "method": "C", "target": "rebind.example:50051"}
    assert refusals(rpc, [given])[0][1] == "ADDRESS_DENIED"
    assert connects == []


def test_a_name_that_changes_between_look_ups_gains_nothing(
    trap: HttpServer, connects: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    # The check and the connection use one look-up: the second answer is never asked for.
    asked = resolve(monkeypatch, [["127.0.0.1"], ["169.254.169.254"]])
    executor = HttpExecutor(HttpOptions(allow_networks=("127.0.0.0/8",)))
    url = f"http://rebind.example:{trap.port}/ok"
    found = refusals(executor, [{"url": url}, {"url": url}])
    assert [code for _, code in found] == ["reached", "reached"]
    assert asked == ["rebind.example"]
    assert {address[0] for address in connects} == {"127.0.0.1"}
    assert trap.seen[0].headers["host"] == f"rebind.example:{trap.port}"


def test_a_listed_name_may_be_internal_and_no_other(trap: HttpServer, monkeypatch: pytest.MonkeyPatch) -> None:
    resolve(monkeypatch, [["127.0.0.1"]] * 4)
    executor = HttpExecutor(HttpOptions(allow_hosts=("stock.internal",)))
    configs = [{"url": f"http://{host}:{trap.port}/ok"} for host in ("stock.internal", "other.internal", "127.0.0.1")]
    assert [code for _, code in refusals(executor, configs)] == ["reached", "ADDRESS_DENIED", "ADDRESS_DENIED"]


def test_no_grpc_target_is_more_than_host_and_port(connects: list[Any]) -> None:
    configs = [{"service": "a.B", "method": "C", "target": target} for target in TARGETS]
    found = refusals(RpcExecutor(RpcOptions(allow_networks=("127.0.0.0/8",))), configs)
    assert {code for _, code in found} <= {"BAD_CONFIG", "BAD_SERVICE"}
    assert connects == []


def test_no_grpc_or_json_service_is_a_denied_address(trap: HttpServer, connects: list[Any]) -> None:
    plain = [host for host in HOSTS if host.isascii() and "%" not in host]
    configs = [{"service": "a.B", "method": "C", "target": f"{host}:{trap.port}"} for host in plain]
    configs += [{**config, "protocol": "http-json"} for config in configs]
    found = refusals(RpcExecutor(RpcOptions()), configs)
    assert {code for _, code in found} <= {"ADDRESS_DENIED", "BAD_URL", "BAD_CONFIG", "DNS_FAILED"}
    assert trap.connections == 0
    assert connects == []


def test_a_refusal_is_final_and_names_the_mend() -> None:
    async def work() -> TaskFailed:
        executor = HttpExecutor(HttpOptions())
        with pytest.raises(TaskFailed) as caught:
            await executor.execute(call({"url": "http://10.0.0.1/"}))
        await executor.close()
        return caught.value

    failure = asyncio.run(work()).failure
    assert failure.sort is Sort.REFUSED
    assert "http.allow_networks" in failure.message
