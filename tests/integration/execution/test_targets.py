"""Limits and breakers of targets over a real store: what is kept, who waits, and that nobody pays for it."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Mapping
from typing import Any

from execution.domain.breaker import BreakerPolicy
from execution.domain.outcome import Result, Sort, TaskFailed
from execution.engine.target_settings import TargetSettings
from execution.executors.base import Call
from execution.models import Attempt, ExecutionLog, Instance
from execution.target_models import Parked, Target, TargetShare
from flows.domain.compiled import RetryPolicy, Strategy
from tests.fakes.executors import Scripted
from tests.fakes.flows import flow, task
from tests.integration.execution.kit import Bench, RunningDriver, done, quick_settings, wait_for

BANK = "bank:first"
NEVER_RETRY = RetryPolicy(strategy=Strategy.AUTO, interval=0.05, max_attempts=100)
QUICK = BreakerPolicy(min_calls=5, open_seconds=0.4, open_most=0.4, probes=2, ramp=0.6)


class Bank(Scripted):
    """A target by its config's `to`; counts what is in flight over all drivers, and when each call began."""

    name = "bank"
    max_in_flight = 200

    def __init__(self, *, seconds: float = 0.02) -> None:
        super().__init__()
        self.seconds = seconds
        self.down = False
        self.began: list[float] = []
        self.in_flight = self.most = 0
        self._lock = threading.Lock()

    @classmethod
    def target(cls, config: Mapping[str, Any]) -> str:
        return str(config.get("to", "first"))

    async def execute(self, call: Call) -> Result:
        with self._lock:
            self.began.append(time.monotonic())
            self.calls.append(call)
            self.in_flight += 1
            self.most = max(self.most, self.in_flight)
        await asyncio.sleep(self.seconds)
        with self._lock:
            self.in_flight -= 1
        if self.down and call.config.get("to", "first") == "first":
            raise TaskFailed(Sort.REFUSED_NOW, "DOWN", "the bank is closed")
        return Result(value={})


def driver(bench: Bench, bank: Bank, *, owner: str = "one", **targets: Any) -> RunningDriver:
    settings = TargetSettings(**({"policy": QUICK} | targets))
    return RunningDriver(
        bench.store, executors={"bank": bank}, settings=quick_settings(), owner=owner, targets=settings
    )


def pay(name: str, *, to: str = "first", **more: Any) -> Any:
    return flow(name, task("pay", type_="bank", config={"to": to}, retry=NEVER_RETRY, **more))


def attempts() -> int:
    return Attempt.objects.count()


def test_two_drivers_together_keep_the_cap_and_nobody_pays(bench: Bench) -> None:
    bank = Bank()
    ids = bench.insert(pay("f"), 90)
    limits = {BANK: (3, 0.0)}
    with driver(bench, bank, limits=limits), driver(bench, bank, owner="two", limits=limits):
        wait_for(lambda: done(*ids), within=60)
    assert bank.most <= 3
    assert len(bank.calls) == attempts() == 90
    assert not TargetShare.objects.exists()


def test_a_limited_target_does_not_stand_in_the_way_of_others(bench: Bench) -> None:
    bank = Bank(seconds=0.3)
    slow = bench.insert(pay("slow"), 250)
    with driver(bench, bank, limits={BANK: (1, 0.0)}):
        wait_for(lambda: Parked.objects.filter(code="limit").exists())
        free = bench.insert(pay("free", to="other"), 20)
        wait_for(lambda: done(*free), within=30)
        assert Instance.objects.filter(pk__in=slow, status="success").count() < 200
    assert bank.most <= 21


def test_starts_are_spaced_by_a_rate(bench: Bench) -> None:
    bank = Bank()
    ids = bench.insert(pay("f"), 40)
    limits = {BANK: (0, 20.0)}
    with driver(bench, bank, limits=limits), driver(bench, bank, owner="two", limits=limits):
        wait_for(lambda: done(*ids), within=60)
    assert len(bank.calls) == attempts() == 40
    # A moment is lost a second after it came: so much may come late, and then close together.
    assert bank.began[-1] - bank.began[0] >= 39 / 20.0 - 1.0


def test_an_open_breaker_parks_without_attempts_and_lets_others_pass(bench: Bench) -> None:
    bank = Bank()
    bank.down = True
    ids = bench.insert(pay("f"), 60)
    with driver(bench, bank, policy=BreakerPolicy(min_calls=5, open_seconds=300)):
        wait_for(lambda: Target.objects.filter(pk=BANK, state="open").exists())
        wait_for(lambda: Instance.objects.filter(pk__in=ids, owner="").count() == 60)
        spent = attempts()
        other = bench.insert(pay("g", to="other"), 5)
        late = bench.insert(pay("h"), 5)
        wait_for(lambda: done(*other))
        wait_for(lambda: Parked.objects.filter(instance_id__in=late, target_id=BANK, code="breaker").count() == 5)
    assert attempts() == spent + 5
    assert set(Parked.objects.values_list("instance__wake_at", flat=True)) == set(
        Parked.objects.values_list("until", flat=True)
    )


def test_it_probes_closes_and_brings_everything_back(bench: Bench) -> None:
    bank = Bank()
    bank.down = True
    ids = bench.insert(pay("f"), 50)
    with driver(bench, bank), driver(bench, bank, owner="two"):
        wait_for(lambda: Target.objects.filter(pk=BANK, opens__gte=2).exists(), what="a failed probe opens it again")
        bank.down = False
        wait_for(lambda: done(*ids), within=60)
        wait_for(lambda: Target.objects.filter(pk=BANK, state="closed", acts=False).exists())
    assert not Parked.objects.filter(until__gt=bench.store.now()).exists()


def test_a_window_of_maintenance_parks_and_its_end_brings_back(bench: Bench) -> None:
    now = bench.store.now()
    Target.objects.create(id=BANK, forced="open", forced_until=bench.later(2), acts=True, seen_at=now, created_at=now)
    bank = Bank()
    ids = bench.insert(pay("f"), 30)
    with driver(bench, bank):
        wait_for(lambda: Parked.objects.filter(instance_id__in=ids).count() == 30)
        assert not bank.calls
        wait_for(lambda: done(*ids), within=40)
    assert len(bank.calls) == attempts() == 30


def test_what_else_an_instance_can_do_goes_on(bench: Bench) -> None:
    now = bench.store.now()
    Target.objects.create(id=BANK, forced="open", acts=True, seen_at=now, created_at=now)
    bank = Bank()
    graph = flow(
        "g",
        task("shut", type_="bank", config={"to": "first"}),
        task("a", type_="bank", config={"to": "other"}),
        task("b", "a", type_="bank", config={"to": "${tasks.a.status}"}),
        max_parallel=1,
    )
    (instance_id,) = bench.insert(graph)
    with driver(bench, bank):
        wait_for(lambda: Parked.objects.filter(instance_id=instance_id, task_id="shut").exists())
        succeeded = ExecutionLog.objects.filter(action="success").values_list("task_id", flat=True)
        assert set(succeeded) == {"a", "b"}
        assert Instance.objects.get().owner == ""


def test_a_refusal_of_the_business_says_nothing_against_its_target(bench: Bench) -> None:
    declined = [TaskFailed(Sort.REFUSED, "CARD_DECLINED", "no money")] * 30

    class Declining(Bank):
        async def execute(self, call: Call) -> Result:
            raise declined.pop()

    ids = bench.insert(pay("f"), 30)
    with driver(bench, Declining()):
        wait_for(lambda: done(*ids, as_="failed"))
        wait_for(lambda: TargetShare.objects.filter(target_id=BANK).exists())
        wait_for(lambda: sum(bucket[1] for bucket in TargetShare.objects.get().window) == 30)
        assert Target.objects.get(pk=BANK).state == "closed"
        assert sum(bucket[2] for bucket in TargetShare.objects.get().window) == 0
