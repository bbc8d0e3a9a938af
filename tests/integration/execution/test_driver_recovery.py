"""A driver when something happens to it: acts, dead twins, strikes, bad records, drain, lost leases and connections."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta

import pytest
from django.db import DatabaseError, connection, connections

from execution.domain.outcome import Result
from execution.engine.loading import new_executors
from execution.models import Attempt, EngineSession, Instance, OperatorAction, Task
from flows.domain.compiled import RetryPolicy, Strategy
from retries.models import ExceptionRecord
from tests.fakes.executors import Scripted
from tests.fakes.flows import flow, task
from tests.integration.execution.kit import Bench, RunningDriver, done, drive, quick_settings, status, wait_for
from tests.integration.execution.test_store_starts import action

AUTO = RetryPolicy(strategy=Strategy.AUTO, interval=0.1, max_attempts=3)
EXPIRED = timedelta(seconds=-5)


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
    (claim,) = bench.claim("dead", lease=EXPIRED)
    bench.store.apply([bench.start(bench.store.load([claim])[0].state, "a")])
    with drive(bench, scripted):
        wait_for(lambda: done(instance_id))
    assert list(Attempt.objects.order_by("number").values_list("status", flat=True)) == ["unknown", "success"]
    assert Instance.objects.get().strikes == 0


def test_the_third_strike_parks_it(bench: Bench, scripted: Scripted) -> None:
    (instance_id,) = bench.insert(flow("f", task("a", type_="scripted")))
    for _ in range(3):
        bench.claim("dead", lease=EXPIRED)
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


def test_an_act_on_what_nobody_can_read_is_refused_and_wakes_it_no_more(bench: Bench) -> None:
    (bad,) = bench.insert(flow("bad", task("a")))
    del bench.shelf.flows[Instance.objects.get(pk=bad).version_id]
    bench.store.ask(action(bad, act="pause"), now=bench.store.now())
    with drive(bench):
        wait_for(lambda: OperatorAction.objects.filter(state="refused").exists() and done(bad, as_="failed"))
        wait_for(lambda: Instance.objects.get(pk=bad).owner == "")
    assert OperatorAction.objects.get().verdict["code"] == "UNLOADABLE"
    assert Instance.objects.get(pk=bad).wake_at is None


def test_what_nobody_could_read_keeps_its_open_attempts_for_who_can(bench: Bench) -> None:
    (bad,) = bench.insert(flow("bad", task("a")))
    (claim,) = bench.claim("dead", lease=EXPIRED)
    (loaded,) = bench.store.load([claim])
    bench.store.apply([bench.start(loaded.state, "a")])
    del bench.shelf.flows[Instance.objects.get(pk=bad).version_id]
    with drive(bench):
        wait_for(lambda: done(bad, as_="failed"))
    assert Attempt.objects.get().status == "started"
    assert Task.objects.get().status == "running"


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


def test_a_session_hands_over_when_its_time_to_claim_is_over(bench: Bench, scripted: Scripted) -> None:
    scripted.gate.clear()
    first, second = bench.insert(flow("f", task("a", type_="scripted"), task("b", "a", type_="scripted")), 2)
    with drive(bench, scripted) as running:
        wait_for(lambda: len(scripted.calls) == 2)
        running.host.claim_seconds = 0.1
        wait_for(lambda: running.host.handed_over)
        scripted.gate.set()
        wait_for(lambda: EngineSession.objects.filter(state="ended").exists())
    assert Attempt.objects.filter(status="success").count() == 2
    assert {status(first), status(second)} == {"running"}
    assert len(bench.claim()) == 2


def test_a_call_that_might_outlast_the_host_is_left_to_the_next_session(bench: Bench, scripted: Scripted) -> None:
    (instance_id,) = bench.insert(flow("f", task("a", type_="scripted", timeout_seconds=30)))
    running = drive(bench, scripted)
    running.host.end_seconds = 20
    with running:
        wait_for(lambda: EngineSession.objects.filter(state="ended").exists())
    assert not scripted.calls
    with drive(bench, scripted):
        wait_for(lambda: done(instance_id))


def test_it_survives_connections_that_are_cut_at_any_moment(bench: Bench, scripted: Scripted) -> None:
    if connection.vendor == "sqlite":
        pytest.skip("no connection to cut")
    ids = bench.insert(flow("f", task("a", type_="scripted"), task("b", "a"), task("c", "b")), 60)
    with drive(bench, scripted, backoff_most=0.1), cutting_connections(every=0.15):
        wait_for(lambda: done_quietly(*ids), within=60)
    assert Attempt.objects.filter(status="success").count() == 180
    assert len(scripted.calls) == 60


@contextmanager
def cutting_connections(*, every: float) -> Iterator[None]:
    """Ends all other connections to the database again and again."""
    stop = threading.Event()
    listing = {
        "mysql": "SELECT id FROM information_schema.processlist WHERE db = DATABASE() AND id <> CONNECTION_ID()",
        "postgresql": "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()",
    }[connection.vendor]
    cut = {"mysql": "KILL {}", "postgresql": "SELECT pg_terminate_backend({})"}[connection.vendor]

    def run() -> None:
        while not stop.wait(every):
            with connections["default"].cursor() as cursor, suppress(DatabaseError):
                cursor.execute(listing)
                for (pid,) in cursor.fetchall():
                    with suppress(DatabaseError):
                        cursor.execute(cut.format(pid))
        connections.close_all()

    cutter = threading.Thread(target=run)
    cutter.start()
    try:
        yield
    finally:
        stop.set()
        cutter.join(10)
        connections.close_all()


def done_quietly(*ids: str) -> bool:
    try:
        return done(*ids)
    except DatabaseError:
        connections.close_all()
        return False
