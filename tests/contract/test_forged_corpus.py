"""S1: a corpus of URLs that lead inside (`data/ssrf.json`), direct, by redirect and by rebinding: not one arrives.

Counted by sockets: whatever this process connects to is heard by an audit hook, and a trap on 127.0.0.1 listens
itself. Only the entrance, 127.0.0.2, may be reached. `address` is what a name of the entry resolves to, and what the
rebinding name turns into.
"""

from __future__ import annotations

import asyncio
import json
import socket
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from grpc import aio

from execution.domain.outcome import TaskFailed
from execution.executors.base import Executor
from execution.executors.http import HttpExecutor
from execution.executors.options import HttpOptions, RpcOptions
from execution.executors.rpc.executor import RpcExecutor
from tests.contract.listening import as_info
from tests.fakes.http_server import HttpServer
from tests.unit.execution.executors.calls import call

CORPUS: list[dict[str, str]] = json.loads((Path(__file__).parent / "data" / "ssrf.json").read_text())
ENTRANCE = "127.0.0.2"
ALLOWED = (f"{ENTRANCE}/32",)
CLIENTS = ("aiohttp", "requests")


@pytest.fixture
def trap() -> Iterator[HttpServer]:
    with HttpServer() as server:
        yield server


@pytest.fixture
def entrance() -> Iterator[HttpServer]:
    with HttpServer(host=ENTRANCE) as server:
        yield server


class Names:
    """Answers for names; numbers in whatever spelling are read as the C library reads them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.answers: list[list[str]] = []
        names = self

        async def getaddrinfo(_loop: Any, host: Any, port: int, **_kwargs: Any) -> Any:
            try:
                return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
            except (OSError, UnicodeError):
                answer = names.answers.pop(0) if len(names.answers) > 1 else names.answers[0]
                return [as_info(address, port) for address in answer]

        monkeypatch.setattr(asyncio.BaseEventLoop, "getaddrinfo", getaddrinfo)


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Names:
    return Names(monkeypatch)


def made(client: str) -> Executor:
    return HttpExecutor(HttpOptions(client=client, allow_networks=ALLOWED, connect_timeout=2))


async def outcome(executor: Executor, config: dict[str, Any]) -> str:
    """The code of the failure, or "reached"."""
    try:
        await executor.execute(call(config, timeout=10))
    except TaskFailed as error:
        return error.failure.code
    return "reached"


def denied(connects: list[Any]) -> list[Any]:
    return [address for address in connects if address[0] != ENTRANCE]


def test_the_corpus_is_large_and_varied() -> None:
    assert len({entry["url"] for entry in CORPUS}) >= 300
    assert len({entry["address"] for entry in CORPUS}) >= 60


@pytest.mark.parametrize("client", CLIENTS)
def test_none_arrives_directly(client: str, trap: HttpServer, names: Names, connects: list[Any]) -> None:
    async def work() -> Counter[str]:
        executor, found = made(client), Counter[str]()
        for entry in CORPUS:
            names.answers = [[entry["address"]]]
            found[await outcome(executor, {"url": entry["url"].replace("{port}", str(trap.port))})] += 1
        await executor.close()
        return found

    found = asyncio.run(work())
    assert set(found) <= {"ADDRESS_DENIED", "BAD_URL", "BAD_CONFIG", "DNS_FAILED"}
    assert found["ADDRESS_DENIED"] > 200
    assert (connects, trap.connections) == ([], 0)


@pytest.mark.parametrize("client", CLIENTS)
def test_none_arrives_by_redirect(
    client: str, trap: HttpServer, entrance: HttpServer, names: Names, connects: list[Any]
) -> None:
    async def work() -> Counter[str]:
        executor, found = made(client), Counter[str]()
        for number, entry in enumerate(CORPUS):
            names.answers = [[entry["address"]]]
            to = quote(entry["url"].replace("{port}", str(trap.port)), safe="")
            status = (301, 302, 303, 307, 308)[number % 5]
            if number % 2:  # after a first redirect that is fine
                to = quote(entrance.url(f"/redirect/{status}?to={to}"), safe="")
            config = {"url": entrance.url(f"/redirect/{status}?to={to}"), "method": "GET", "redirects": 3}
            found[await outcome(executor, config)] += 1
        await executor.close()
        return found

    found = asyncio.run(work())
    assert found["ADDRESS_DENIED"] > 200
    assert (denied(connects), trap.connections) == ([], 0)
    assert len(entrance.seen) > len(CORPUS)
    assert {seen.path.split("/")[1] for seen in entrance.seen if seen.query} == {"redirect"}


@pytest.mark.parametrize("client", CLIENTS)
def test_none_arrives_by_rebinding(client: str, entrance: HttpServer, names: Names, connects: list[Any]) -> None:
    async def once(url: str) -> str:
        executor = made(client)  # as after the time that answers are kept for
        try:
            return await outcome(executor, {"url": url})
        finally:
            await executor.close()

    async def work() -> Counter[str]:
        found = Counter[str]()
        for number, entry in enumerate(CORPUS):
            url, inside = f"http://r{number}.rebind.example:{entrance.port}/", entry["address"]
            turns = [[[ENTRANCE], [inside]], [[inside], [ENTRANCE]], [[ENTRANCE, inside]], [[inside, ENTRANCE]]]
            for answers in turns[number % 2 :: 2]:  # one in time, one in a single answer
                names.answers = answers
                found[f"first: {await once(url)}"] += 1
                found[f"second: {await once(url)}"] += 1
        return found

    found = asyncio.run(work())
    assert {key.partition(": ")[2] for key in found} == {"reached", "ADDRESS_DENIED"}
    assert found["first: ADDRESS_DENIED"] >= len(CORPUS) / 2
    assert found["second: ADDRESS_DENIED"] >= len(CORPUS) / 2
    assert denied(connects) == []


def test_no_grpc_channel_leads_there(names: Names, connects: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """gRPC's own sockets are not Python's: what counts is the channels made, each by a literal address."""
    channels: list[str] = []
    make = aio.insecure_channel

    def insecure_channel(target: str, **how: Any) -> Any:
        channels.append(target)
        return make(target, **how)

    monkeypatch.setattr(aio, "insecure_channel", insecure_channel)

    async def work() -> Counter[str]:
        executor, found = RpcExecutor(RpcOptions(allow_networks=ALLOWED)), Counter[str]()
        for entry in CORPUS:
            names.answers = [[entry["address"]]]
            host = entry["url"].replace("{port}", "1").partition("//")[2].partition("/")[0].removesuffix(":1")
            found[await outcome(executor, {"service": "a.B", "method": "C", "target": f"{host}:50051"})] += 1
        await executor.close()
        return found

    found = asyncio.run(work())
    assert set(found) <= {"ADDRESS_DENIED", "BAD_CONFIG", "DNS_FAILED"}
    assert found["ADDRESS_DENIED"] > 100
    assert (channels, connects) == ([], [])
