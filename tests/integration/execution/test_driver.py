"""A driver over a real store and real executors: instances run, wait, are acted on, recovered and given back."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import pytest
from pydantic import BaseModel

from execution.domain.outcome import Result, Sort, TaskFailed
from execution.engine.loading import new_executors
from execution.executors.base import Call, Executor
from execution.models import Attempt, EngineSession, ExecutionLog, Instance, OperatorAction, Task
from flows.domain.compiled import RetryPolicy, Strategy
from retries.models import ExceptionRecord
from tests.fakes.flows import flow, task
from tests.fakes.http_server import HttpServer
from tests.integration.execution.kit import Bench, RunningDriver, quick_settings, wait_for
from tests.integration.execution.test_store_starts import action


class Anything(BaseModel):
    model_config = {"extra": "allow"}


class Scripted(Executor):
    """A task type whose calls do what the test says; not registered."""

    name = "scripted"
    config_model = Anything
    is_async = True
    max_in_flight = 3

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.gate = threading.Event()
        self.gate.set()
        self.answers: list[Any] = []
        self.most = 0
        self._now = 0

    async def execute(self, call: Call) -> Result:
        self.calls.append(call)
        self._now += 1
        self.most = max(self.most, self._now)
        try:
            while not self.gate.is_set():
                await asyncio.sleep(0.01)
        finally:
            self._now -= 1
        answer = self.answers.pop(0) if self.answers else {"ok": True}
        if isinstance(answer, BaseException):
            raise answer
        return answer if isinstance(answer, Result) else Result(value=answer)


class Blocking(Executor):
    """A plain function on its pool."""

    name = "blocking"
    config_model = Anything
    max_threads: ClassVar[int] = 2

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.gate.set()
        self.begun = 0

    def execute(self, call: Call) -> Result:
        self.begun += 1
        self.gate.wait(20)
        return Result(value={"thread": threading.current_thread().name, "task": call.task_id})


@pytest.fixture
def scripted() -> Iterator[Scripted]:
    executor = Scripted()
    yield executor
    executor.gate.set()


def drive(bench: Bench, *executors: Executor, **settings: Any) -> RunningDriver:
    named: Mapping[str, Executor] = new_executors() | {each.name: each for each in executors}
    return RunningDriver(bench.store, executors=named, settings=quick_settings(**settings))


def status(instance_id: str) -> str:
    return Instance.objects.values_list("status", flat=True).get(pk=instance_id)


def done(*ids: str, as_: str = "success") -> bool:
    return Instance.objects.filter(pk__in=ids, status=as_, owner="").count() == len(ids)


AUTO = RetryPolicy(strategy=Strategy.AUTO, interval=0.1, max_attempts=3)


def test_it_runs_a_graph_to_its_end(bench: Bench) -> None:
    graph = flow("g", task("a", input={"n": 1}), task("b", "a"), task("c", "a"), task("d", "b", "c"))
    ids = bench.insert(graph, 20)
    with drive(bench):
        wait_for(lambda: done(*ids))
    assert Task.objects.filter(status="success").count() == 80
    assert Attempt.objects.filter(status="success").count() == 80
    for instance_id in ids:
        seqs = list(ExecutionLog.objects.filter(instance_id=instance_id).order_by("seq").values_list("seq", flat=True))
        assert seqs == list(range(1, len(seqs) + 1))


def test_it_calls_a_real_target_and_every_effect_has_its_row(bench: Bench) -> None:
    with HttpServer() as target:
        config = {"url": target.url("/once"), "method": "POST"}
        ids = bench.insert(flow("h", task("a", type_="http", config=config), task("b", "a")), 10)
        with drive(bench):
            wait_for(lambda: done(*ids))
    keys = set(Attempt.objects.filter(task_id="a").values_list("key", flat=True))
    assert set(target.applied) == keys
    assert set(target.applied.values()) == {1}


def test_the_attempt_is_committed_before_its_call_leaves(bench: Bench, scripted: Scripted) -> None:
    scripted.gate.clear()
    (instance_id,) = bench.insert(flow("f", task("a", type_="scripted", input={"x": 1})))
    with drive(bench, scripted):
        wait_for(lambda: scripted.calls)
        attempt = Attempt.objects.get()
        assert (attempt.status, attempt.key) == ("started", scripted.calls[0].key)
        scripted.gate.set()
        wait_for(lambda: done(instance_id))


def test_slots_of_a_type_bound_its_calls(bench: Bench, scripted: Scripted) -> None:
    ids = bench.insert(flow("f", *[task(f"t{number}", type_="scripted") for number in range(8)]), 3)
    with drive(bench, scripted):
        wait_for(lambda: done(*ids))
    assert len(scripted.calls) == 24
    assert scripted.most <= 3


def test_a_failure_is_retried_at_its_time(bench: Bench, scripted: Scripted) -> None:
    scripted.answers = [TaskFailed(Sort.REFUSED_NOW, "BUSY", "later"), {"ok": 1}]
    (instance_id,) = bench.insert(flow("f", task("a", type_="scripted", retry=AUTO)))
    with drive(bench, scripted):
        wait_for(lambda: done(instance_id))
    assert [call.attempt for call in scripted.calls] == [1, 2]
    assert len({call.key for call in scripted.calls}) == 1
    assert ExceptionRecord.objects.get().state == "resolved"


def test_a_retry_that_falls_due_while_another_call_runs_is_taken_up(bench: Bench, scripted: Scripted) -> None:
    slow = task("slow", config={"sleep_ms": 1500})
    scripted.answers = [TaskFailed(Sort.REFUSED_NOW, "BUSY", "later"), {"ok": 1}]
    (instance_id,) = bench.insert(flow("f", slow, task("a", type_="scripted", retry=AUTO)))
    with drive(bench, scripted):
        wait_for(lambda: len(scripted.calls) == 2, within=1.4)
        wait_for(lambda: done(instance_id))


def test_a_call_past_its_timeout_is_unknown_and_its_answer_kept_as_stale(bench: Bench) -> None:
    blocking = Blocking()
    blocking.gate.clear()
    (instance_id,) = bench.insert(flow("f", task("a", type_="blocking", timeout_seconds=0.2)))
    with drive(bench, blocking, timeout_grace=0.1):
        wait_for(lambda: Attempt.objects.filter(status="unknown").exists())
        blocking.gate.set()
        wait_for(lambda: Attempt.objects.exclude(stale=None).exists())
    attempt = Attempt.objects.order_by("number").first()
    assert attempt is not None
    assert (attempt.error_code, attempt.stale["result"]["task"]) == ("TIMEOUT", "a")
    assert Task.objects.get(instance_id=instance_id).status == "retrying"


def test_an_abandoned_thread_counts_until_it_ends(bench: Bench) -> None:
    blocking = Blocking()
    blocking.gate.clear()
    bench.insert(flow("f", task("a", type_="blocking", timeout_seconds=0.2)), 3)
    with drive(bench, blocking, timeout_grace=0.1):
        wait_for(lambda: Attempt.objects.filter(status="unknown").count() == 2)
        time.sleep(0.3)
        assert blocking.begun == 2
        blocking.gate.set()
        wait_for(lambda: blocking.begun == 3)


def test_an_executor_that_breaks_fails_the_attempt_not_the_driver(bench: Bench, scripted: Scripted) -> None:
    scripted.answers = [ValueError("a bug"), "x"]
    bench.insert(flow("f", task("a", type_="scripted")), 2)
    with drive(bench, scripted):
        wait_for(lambda: not Instance.objects.exclude(owner="").exists() and len(scripted.calls) == 2)
    assert sorted(Task.objects.values_list("status", flat=True)) == ["retrying", "success"]
    assert "a bug" in Attempt.objects.get(status="unknown").error_stack


def test_a_type_that_is_not_installed_fails_with_its_name(bench: Bench) -> None:
    (instance_id,) = bench.insert(flow("f", task("a", type_="alien")))
    with drive(bench):
        wait_for(lambda: done(instance_id, as_="failed"))
    assert Attempt.objects.get().error_code == "NO_EXECUTOR"


def test_an_act_reaches_an_instance_that_is_held(bench: Bench, scripted: Scripted) -> None:
    scripted.gate.clear()
    (instance_id,) = bench.insert(flow("f", task("a", type_="scripted"), task("b", "a", type_="scripted")))
    with drive(bench, scripted):
        wait_for(lambda: scripted.calls)
        bench.store.ask(action(instance_id), now=bench.store.now())
        time.sleep(1.2)
        scripted.gate.set()
        wait_for(lambda: done(instance_id, as_="cancelled"))
    assert OperatorAction.objects.get().state == "done"
    assert len(scripted.calls) == 1
    assert Task.objects.get(task_id="a").status == "success"


def test_an_act_that_outlived_its_driver_is_taken_up_by_the_next(bench: Bench) -> None:
    (instance_id,) = bench.insert(flow("f", task("a", config={"sleep_ms": 5000})))
    bench.store.ask(action(instance_id), now=bench.store.now())
    with drive(bench):
        wait_for(lambda: done(instance_id, as_="cancelled"))


def test_what_a_dead_driver_left_is_unknown_and_tried_again(bench: Bench, scripted: Scripted) -> None:
    (instance_id,) = bench.insert(flow("f", task("a", type_="scripted", retry=AUTO)))
    (claim,) = bench.claim("dead", lease=quick_lease())
    bench.store.apply([bench.start(bench.store.load([claim])[0].state, "a")])
    with drive(bench, scripted):
        wait_for(lambda: done(instance_id))
    assert list(Attempt.objects.order_by("number").values_list("status", flat=True)) == ["unknown", "success"]
    assert Instance.objects.get().strikes == 0


def test_the_third_strike_parks_it(bench: Bench, scripted: Scripted) -> None:
    (instance_id,) = bench.insert(flow("f", task("a", type_="scripted")))
    for _ in range(3):
        bench.claim("dead", lease=quick_lease())
    with drive(bench, scripted):
        wait_for(lambda: done(instance_id, as_="failed"))
    assert not scripted.calls
    assert ExceptionRecord.objects.get().error_code == "POISON"
    assert Instance.objects.get().needs_attention


def test_an_instance_whose_version_is_broken_is_parked_and_others_run(bench: Bench) -> None:
    (bad,) = bench.insert(flow("bad", task("a")))
    (good,) = bench.insert(flow("good", task("a")))
    del bench.shelf.flows[Instance.objects.get(pk=bad).version_id]
    with drive(bench):
        wait_for(lambda: done(good) and done(bad, as_="failed"))
    assert Instance.objects.get(pk=bad).error["code"] == "UNLOADABLE"


def test_a_record_the_database_refuses_parks_its_instance_alone(bench: Bench, scripted: Scripted) -> None:
    scripted.answers = [Result(value={"x": float("nan")})]
    bad, good = bench.insert(flow("f", task("a", type_="scripted")), 2)
    with drive(bench, scripted):
        wait_for(lambda: Instance.objects.filter(owner="", status__in=["success", "failed"]).count() == 2)
    assert sorted([status(bad), status(good)]) == ["failed", "success"]
    parked = Instance.objects.get(status="failed")
    assert parked.error["code"] == "RECORD_REFUSED"
    assert Attempt.objects.filter(instance=parked).get().status == "unknown"


def test_it_gives_back_what_it_holds_when_it_is_told_to_go(bench: Bench, scripted: Scripted) -> None:
    scripted.gate.clear()
    ids = bench.insert(flow("f", task("a", type_="scripted"), task("b", "a", type_="scripted")), 6)
    with drive(bench, scripted) as running:
        wait_for(lambda: len(scripted.calls) == 3)
        running.host.going = True
        time.sleep(0.3)
        scripted.gate.set()
    rows = Instance.objects.filter(pk__in=ids)
    assert {row.owner for row in rows} == {""}
    assert {row.strikes for row in rows} == {0}
    assert Attempt.objects.filter(status="success").count() == 3
    assert len(scripted.calls) == 3
    assert bench.store.has_due(bench.later())


def test_calls_that_outlast_the_drain_are_given_up_as_unknown(bench: Bench, scripted: Scripted) -> None:
    scripted.gate.clear()
    bench.insert(flow("f", task("a", type_="scripted", retry=AUTO)))
    with drive(bench, scripted, drain=0.3) as running:
        wait_for(lambda: scripted.calls)
        running.host.going = True
    assert Attempt.objects.get().status == "unknown"
    assert Instance.objects.get().owner == ""


def test_two_drivers_share_the_work_and_do_nothing_twice(bench: Bench, scripted: Scripted) -> None:
    ids = bench.insert(flow("f", task("a", type_="scripted"), task("b", "a", type_="scripted")), 60)
    named = new_executors() | {"scripted": scripted}
    settings = quick_settings(claim_batch=10)
    with (
        RunningDriver(bench.store, executors=named, settings=settings, owner="one"),
        RunningDriver(bench.store, executors=named, settings=settings, owner="two"),
    ):
        wait_for(lambda: done(*ids), within=30)
    assert len(scripted.calls) == 120
    assert Attempt.objects.count() == 120


def test_a_lease_is_renewed_while_a_call_takes_longer(bench: Bench, scripted: Scripted) -> None:
    scripted.gate.clear()
    (instance_id,) = bench.insert(flow("f", task("a", type_="scripted")))
    with drive(bench, scripted, lease=2.0):
        wait_for(lambda: scripted.calls)
        time.sleep(2.5)
        assert not bench.claim("thief", now=bench.store.now())
        scripted.gate.set()
        wait_for(lambda: done(instance_id))
    assert Instance.objects.get().fence == 1


def test_an_answer_under_a_lost_fence_is_kept_as_stale_never_applied(bench: Bench, scripted: Scripted) -> None:
    scripted.gate.clear()
    (instance_id,) = bench.insert(flow("f", task("a", type_="scripted")))
    with drive(bench, scripted, lease=2.0):
        wait_for(lambda: scripted.calls)
        Instance.objects.update(fence=9, owner="thief", lease_until=bench.later(60), wake_at=bench.later(60))
        time.sleep(1.2)
        scripted.gate.set()
        wait_for(lambda: Attempt.objects.exclude(stale=None).exists())
    assert Attempt.objects.get().status == "started"
    assert status(instance_id) == "running"


def test_its_session_row_says_that_it_lives_and_that_it_ended(bench: Bench) -> None:
    with drive(bench):
        wait_for(lambda: bench.store.freshest_beat() is not None)
        assert EngineSession.objects.get().state == "running"
    assert EngineSession.objects.get().state == "ended"


def test_a_long_chain_and_a_wide_fan_end_in_time(bench: Bench) -> None:
    chain = flow("chain", task("t0"), *[task(f"t{n}", f"t{n - 1}") for n in range(1, 60)])
    fan = flow("fan", task("a"), *[task(f"m{n}", "a") for n in range(300)])
    ids = bench.insert(chain) + bench.insert(fan)
    with drive(bench):
        wait_for(lambda: done(*ids), within=30)


def quick_lease() -> Any:
    from datetime import timedelta

    return timedelta(seconds=-5)
