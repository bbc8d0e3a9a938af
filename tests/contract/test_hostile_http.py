"""F10: a target that breaks every rule of HTTP costs its own task a clear, rightly sorted outcome, and no more."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest

from execution.domain.outcome import Result, Sort, TaskFailed
from execution.executors.http import HttpExecutor
from execution.executors.options import HttpOptions
from tests.contract.memory import peak_growth
from tests.contract.peers import free_port
from tests.fakes.hostile_http import HostileServer
from tests.unit.execution.executors.calls import call

MIB = 1024 * 1024
CLIENTS = {
    client: HttpOptions(client=client, allow_networks=("127.0.0.0/8",), connect_timeout=0.5)
    for client in ("aiohttp", "requests")
}
MAYBE, NEVER, NOW, REFUSED = Sort.MAYBE_APPLIED, Sort.NEVER_SENT, Sort.REFUSED_NOW, Sort.REFUSED
# path -> code and sort of the failure; None: it succeeds. All are POST.
TABLE: dict[str, tuple[str, Sort] | None] = {
    "/half_open": ("TIMEOUT", MAYBE),
    "/slow_body": ("TIMEOUT", MAYBE),
    "/slow_headers": ("TIMEOUT", MAYBE),
    "/endless_headers": ("BROKEN_RESPONSE", MAYBE),
    "/endless_header": ("BROKEN_RESPONSE", MAYBE),
    "/ten_gigabytes": None,
    "/endless_chunks": None,
    "/gzip_bomb": None,
    "/gzip_of_gzip": None,
    "/half_a_gzip": ("BROKEN_RESPONSE", MAYBE),
    "/no_gzip": None,
    "/length_too_long": ("BROKEN_RESPONSE", MAYBE),
    "/length_too_short": ("BROKEN_RESPONSE", MAYBE),
    "/two_lengths": ("BROKEN_RESPONSE", MAYBE),
    "/bad_length": ("BROKEN_RESPONSE", MAYBE),
    "/bad_chunk": ("BROKEN_RESPONSE", MAYBE),
    "/missing_chunk": ("BROKEN_RESPONSE", MAYBE),
    "/bad_utf8": None,
    "/html": None,
    "/too_many": ("HTTP_429", NOW),
    "/loop_302": ("HTTP_302", MAYBE),  # a POST answered by "see there" may have had its effect
    "/loop_307": ("HTTP_307", REFUSED),
    "/flood_1xx": ("BROKEN_RESPONSE", MAYBE),
    "/few_1xx": None,
    "/switch": ("HTTP_101", MAYBE),
    "/garbage": ("BROKEN_RESPONSE", MAYBE),
    "/null_in_header": ("BROKEN_RESPONSE", MAYBE),
    "/closed": ("CONNECTION_LOST", MAYBE),
    "/reset": ("CONNECTION_LOST", MAYBE),
    "/reset_in_body": ("BROKEN_RESPONSE", MAYBE),
}
NEVER_END = {"half_open", "slow_body", "slow_headers"}
# Where the older library under requests is lenient: no outcome is sorted safer than it is.
LENIENT: dict[str, tuple[str, Sort] | None] = {
    "/length_too_short": None,
    "/bad_length": None,
    "/two_lengths": ("CONNECTION_LOST", MAYBE),
    "/null_in_header": None,
    "/flood_1xx": ("HTTP_103", MAYBE),
    "/few_1xx": ("HTTP_103", MAYBE),
}
CUT = {"/ten_gigabytes", "/endless_chunks", "/gzip_bomb"}


@pytest.fixture
def server() -> Iterator[HostileServer]:
    with HostileServer() as made:
        yield made


@pytest.fixture(params=sorted(CLIENTS))
def options(request: pytest.FixtureRequest) -> HttpOptions:
    return CLIENTS[request.param]


def outcomes(options: HttpOptions, urls: list[str], **config: Any) -> list[Result | TaskFailed]:
    """What comes of each call, one after the other. Those that never end have a second; one that outlives its
    time by far fails the test.
    """

    async def work() -> list[Result | TaskFailed]:
        found: list[Result | TaskFailed] = []
        for url in urls:
            executor = HttpExecutor(options)
            seconds = 1 if url.rpartition("/")[2] in NEVER_END else 20
            made = executor.execute(call({"url": url, **config}, {"n": 1}, timeout=seconds))
            try:
                found.append(await asyncio.wait_for(made, seconds + 20))
            except TaskFailed as error:
                found.append(error)
            await executor.close()
        return found

    return asyncio.run(work())


def following(options: HttpOptions, server: HostileServer, path: str) -> Any:
    """What the next call through the same client reads."""

    async def work() -> Any:
        executor = HttpExecutor(options)
        with suppress(TaskFailed):
            await executor.execute(call({"url": server.url(path)}))
        await asyncio.sleep(0.3)
        answer = await executor.execute(call({"url": server.url("/ok")}))
        await executor.close()
        return answer.value["body"]

    return asyncio.run(work())


def shown(outcome: Result | TaskFailed) -> tuple[str, Sort] | None:
    return None if isinstance(outcome, Result) else (outcome.failure.code, outcome.failure.sort)


def test_every_way_to_misbehave_has_its_outcome(options: HttpOptions, server: HostileServer) -> None:
    found = outcomes(options, [server.url(path) for path in TABLE], redirects=3)
    expected = TABLE | (LENIENT if options.client == "requests" else {})
    assert dict(zip(TABLE, map(shown, found), strict=True)) == expected
    cut = {path for path, one in zip(TABLE, found, strict=True) if isinstance(one, Result) and "truncated" in one.value}
    assert cut == CUT


def test_memory_stays_bounded_whatever_comes(options: HttpOptions, server: HostileServer) -> None:
    greedy = ["/ten_gigabytes", "/endless_chunks", "/gzip_bomb", "/gzip_of_gzip", "/endless_header", "/flood_1xx"]
    outcomes(options, [server.url("/ok")])
    with peak_growth() as growth:
        outcomes(options, [server.url(path) for path in greedy * 3])
    assert growth.bytes < 64 * MIB


def test_nobody_there_is_never_sent(options: HttpOptions) -> None:
    assert shown(outcomes(options, [f"http://127.0.0.1:{free_port()}/"])[0]) == ("CONNECT_FAILED", NEVER)


def test_a_host_that_swallows_connections_is_never_sent(options: HttpOptions) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        where = full.getsockname()
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(where)
        found = outcomes(options, [f"http://127.0.0.1:{where[1]}/"])
        for filler in fillers:
            filler.close()
    assert shown(found[0]) == ("CONNECT_TIMEOUT", NEVER)


def test_an_answer_to_nothing_is_not_taken_for_the_next_ones(options: HttpOptions, server: HostileServer) -> None:
    assert following(options, server, "/answers_twice") == {"ok": True}


def test_a_length_too_short_does_not_leak_into_the_next_answer(options: HttpOptions, server: HostileServer) -> None:
    assert following(options, server, "/length_too_short") == {"ok": True}


def test_it_waits_as_long_as_a_target_that_refuses_for_now_says(options: HttpOptions, server: HostileServer) -> None:
    [outcome] = outcomes(options, [server.url("/too_many")])
    assert isinstance(outcome, TaskFailed)
    assert outcome.failure.retry_after == 7
