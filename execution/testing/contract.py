"""What every task type promises, as a suite that any executor can run against its own peer:

    class TestSms(ExecutorContract):
        @pytest.fixture
        def peer(self) -> Iterator[Peer]:
            with SmsPeer() as peer:
                yield peer

It asks for a JSON result, a checked config, the key with every attempt, the deadline, an end when cancelled, sorted
failures, secrets that stay secret, and a second life after `close`. Needs pytest, and Django set up.
"""

from __future__ import annotations

import asyncio
import inspect
import time
from typing import Any

import pytest
from django.db import connections

from disttask_project.kernel import json
from execution.domain.outcome import Result, Sort, TaskFailed
from execution.executors.base import Call, Executor
from execution.testing.peer import Given, Peer

CANARY = "canary-8d1f4a7c-value"
PATIENCE = 1.0  # seconds beyond a deadline, and for a cancelled call to end


def make_call(given: Given, *, timeout: float = 5.0, key: str = "order-1:task") -> Call:
    """An attempt as the driver makes it."""
    config, input_ = given
    return Call(
        instance_id="order-1",
        task_id="task",
        attempt=1,
        run=1,
        key=key,
        config=config,
        input=input_,
        deadline=time.monotonic() + timeout,
        request_id="req-1",
    )


async def run(executor: Executor, call: Call) -> Result:
    """As the driver does: a coroutine on the loop, a plain function away from it."""
    if inspect.iscoroutinefunction(executor.execute):
        answer: Result = await executor.execute(call)
        return answer
    return await asyncio.to_thread(_plain, executor, call)


def _plain(executor: Executor, call: Call) -> Result:
    try:
        result: Result = executor.execute(call)
        return result
    finally:
        connections.close_all()  # the thread's own, which its end would leave to the collector


def ask(peer: Peer, *given: Given, **how: Any) -> list[Result | TaskFailed]:
    """The answers of one executor to these calls, one after the other."""

    async def work() -> list[Result | TaskFailed]:
        executor = peer.executor()
        answers: list[Result | TaskFailed] = []
        try:
            for one in given:
                try:
                    answers.append(await run(executor, make_call(one, **how)))
                except TaskFailed as error:
                    answers.append(error)
        finally:
            await executor.close()
        return answers

    return asyncio.run(work())


class ExecutorContract:
    """Subclass it in a test module under a name that begins with Test, and give it a fixture `peer`."""

    def test_it_gives_a_json_result(self, peer: Peer) -> None:
        [answer] = ask(peer, peer.ok())
        assert isinstance(answer, Result)
        assert json.fault_in(answer.value) is None

    def test_it_accepts_its_own_config_and_no_other(self, peer: Peer) -> None:
        config, _ = peer.ok()
        assert not peer.executor().config_problems(config)
        assert peer.executor().config_problems({**config, "no_such_key": 1})

    def test_it_sends_the_key_with_every_attempt(self, peer: Peer) -> None:
        answers = ask(peer, peer.ok(), peer.ok(), key="order-1:task:r2")
        assert all(isinstance(answer, Result) for answer in answers)
        if peer.reaches_target:
            assert set(peer.keys()) == {"order-1:task:r2"}

    def test_it_keeps_its_deadline(self, peer: Peer) -> None:
        given, obstacle = peer.slow()
        ask(peer, peer.ok(), key="warm")
        with obstacle:
            started = time.monotonic()
            [answer] = ask(peer, given, timeout=0.5)
            assert time.monotonic() - started < 0.5 + PATIENCE
        if peer.slow_fails:
            assert isinstance(answer, TaskFailed)
            assert answer.failure.sort in {Sort.MAYBE_APPLIED, Sort.REFUSED_NOW}

    def test_it_ends_when_it_is_cancelled(self, peer: Peer) -> None:
        if not peer.executor().is_async:
            pytest.skip("a plain function runs on a thread, which ends by its deadline")

        async def work() -> float:
            executor = peer.executor()
            task = asyncio.ensure_future(run(executor, make_call(peer.slow()[0], timeout=20)))
            await asyncio.sleep(0.3)
            started = time.monotonic()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await executor.close()
            return time.monotonic() - started

        assert asyncio.run(work()) < PATIENCE
        until = time.monotonic() + 2
        while not peer.is_quiet() and time.monotonic() < until:
            time.sleep(0.01)
        assert peer.is_quiet()

    def test_it_sorts_failures(self, peer: Peer) -> None:
        for code, (sort, given) in peer.failures.items():
            [answer] = ask(peer, given)
            assert isinstance(answer, TaskFailed), code
            assert (answer.failure.code, answer.failure.sort) == (code, sort)
            assert answer.failure.message
            assert json.fault_in(answer.failure.response) is None

    def test_it_shows_no_secret(self, peer: Peer, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("DISTTASK_SECRET_PAY", CANARY)
        given = peer.telling("${secret:PAY}")
        if given is None:
            pytest.skip("it sends nothing that could hold a secret")
        [answer] = ask(peer, given)
        assert isinstance(answer, Result)
        assert CANARY not in str(answer.value)
        if peer.shows_masks:
            assert "***" in str(answer.value)

    def test_it_refuses_a_missing_secret_before_sending(self, peer: Peer) -> None:
        given = peer.telling("${secret:NOBODY_SET_THIS}")
        if given is None:
            pytest.skip("it sends nothing that could hold a secret")
        ask(peer, peer.ok(), key="other")
        [answer] = ask(peer, given)
        assert isinstance(answer, TaskFailed)
        assert answer.failure.code in {"SECRET_MISSING", "SECRETS_UNAVAILABLE"}
        assert set(peer.keys()) == {"other"}

    def test_it_works_again_after_close_on_another_loop(self, peer: Peer) -> None:
        executor = peer.executor()

        async def once(given: Given, key: str) -> Result:
            try:
                return await run(executor, make_call(given, key=key))
            finally:
                await executor.close()

        assert isinstance(asyncio.run(once(peer.ok(), "a")), Result)
        assert isinstance(asyncio.run(once(peer.other(), "b")), Result)
