"""What every task type promises, asked of each against a real peer."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import connections

from disttask_project.kernel import json
from execution.domain.outcome import Result, Sort, TaskFailed
from execution.executors.base import Call, Executor, executor_types
from tests.contract.peers import PEERS, Given, HttpPeer, Peer
from tests.unit.execution.executors.calls import call

pytestmark = pytest.mark.store
# The peer of mq is our own database.
MARKED = {"mq": pytest.mark.django_db(transaction=True)}
ALL = [pytest.param(name, marks=MARKED.get(name, ())) for name in sorted(PEERS)]
TELLING = [pytest.param(name, marks=MARKED.get(name, ())) for name in ("db", "http", "http-requests", "mq", "rpc")]
CANARY = "canary-8d1f4a7c-value"


@pytest.fixture(params=ALL)
def peer(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Peer]:
    made = PEERS[request.param](tmp_path)
    made.start()
    yield made
    made.stop()


async def run(executor: Executor, given: Given, **how: Any) -> Result:
    """As the driver does: a coroutine on the loop, a plain function away from it."""
    config, input_ = given
    made = call(config, input_, **how)
    if inspect.iscoroutinefunction(executor.execute):
        answer: Result = await executor.execute(made)
        return answer
    return await asyncio.to_thread(_plain, executor, made)


def _plain(executor: Executor, made: Call) -> Result:
    try:
        result: Result = executor.execute(made)
        return result
    finally:
        connections.close_all()  # the thread's own, which its end would leave to the collector


def ask(peer: Peer, *given: Given, **how: Any) -> list[Result | TaskFailed]:
    async def work() -> list[Result | TaskFailed]:
        executor = peer.executor()
        answers: list[Result | TaskFailed] = []
        try:
            for one in given:
                try:
                    answers.append(await run(executor, one, **how))
                except TaskFailed as error:
                    answers.append(error)
        finally:
            await executor.close()
        return answers

    return asyncio.run(work())


def test_every_type_has_a_peer() -> None:
    assert set(executor_types()) == {peer.type for peer in PEERS.values()}


def test_it_gives_a_json_result(peer: Peer) -> None:
    [answer] = ask(peer, peer.ok())
    assert isinstance(answer, Result)
    assert json.fault_in(answer.value) is None


def test_it_accepts_its_own_config(peer: Peer) -> None:
    config, _ = peer.ok()
    assert not peer.executor().config_problems(config)
    assert peer.executor().config_problems({**config, "no_such_key": 1})


def test_it_sends_the_key_with_every_attempt(peer: Peer) -> None:
    answers = ask(peer, peer.ok(), peer.ok(), key="order-1:task:r2")
    assert all(isinstance(answer, Result) for answer in answers)
    if peer.type != "noop":
        assert set(peer.keys()) == {"order-1:task:r2"}


def test_it_keeps_its_deadline(peer: Peer) -> None:
    given, obstacle = peer.slow()
    ask(peer, peer.ok(), key="warm")
    with obstacle:
        started = time.monotonic()
        [answer] = ask(peer, given, timeout=0.5)
        assert time.monotonic() - started < 1.5
    if peer.type != "mq":
        assert isinstance(answer, TaskFailed)
        assert answer.failure.sort in {Sort.MAYBE_APPLIED, Sort.REFUSED_NOW}


@pytest.mark.parametrize("peer", ["http", "http-requests", "noop", "rpc"], indirect=True)  # the others run on threads
def test_it_ends_when_it_is_cancelled(peer: Peer) -> None:
    async def work() -> float:
        executor = peer.executor()
        task = asyncio.ensure_future(run(executor, peer.slow()[0], timeout=20))
        await asyncio.sleep(0.3)
        started = time.monotonic()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await executor.close()
        return time.monotonic() - started

    assert asyncio.run(work()) < 1
    if isinstance(peer, HttpPeer):
        until = time.monotonic() + 2
        while peer.server.open_connections and time.monotonic() < until:
            time.sleep(0.01)
        assert peer.server.open_connections == 0


def test_it_sorts_failures(peer: Peer) -> None:
    for code, (sort, given) in peer.failures.items():
        [answer] = ask(peer, given)
        assert isinstance(answer, TaskFailed), code
        assert (answer.failure.code, answer.failure.sort) == (code, sort)
        assert answer.failure.message
        assert json.fault_in(answer.failure.response) is None


@pytest.mark.parametrize("peer", TELLING, indirect=True)
def test_it_shows_no_secret(peer: Peer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISTTASK_SECRET_PAY", CANARY)
    given = peer.telling("${secret:PAY}")
    assert given is not None
    [answer] = ask(peer, given)
    assert isinstance(answer, Result)
    assert CANARY not in str(answer.value)
    if peer.type in {"http", "rpc", "db"}:
        assert "***" in str(answer.value)


@pytest.mark.parametrize("peer", TELLING, indirect=True)
def test_it_refuses_a_missing_secret_before_sending(peer: Peer) -> None:
    given = peer.telling("${secret:NOBODY_SET_THIS}")
    assert given is not None
    ask(peer, peer.ok(), key="other")
    [answer] = ask(peer, given)
    assert isinstance(answer, TaskFailed)
    assert (answer.failure.code, answer.failure.sort) == ("SECRET_MISSING", Sort.REFUSED)
    assert set(peer.keys()) == {"other"}


def test_it_works_again_after_close_on_another_loop(peer: Peer) -> None:
    executor = peer.executor()

    async def once(key: str) -> Result:
        try:
            return await run(executor, peer.ok(), key=key)
        finally:
            await executor.close()

    assert isinstance(asyncio.run(once("a")), Result)
    config, given = peer.ok()
    if peer.type == "db":
        config = {**config, "data": {"order_id": "another"}}
    assert isinstance(asyncio.run(_again(executor, (config, given))), Result)


async def _again(executor: Executor, given: Given) -> Result:
    try:
        return await run(executor, given, key="b")
    finally:
        await executor.close()
