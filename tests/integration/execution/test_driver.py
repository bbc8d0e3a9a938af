"""A driver over a real store and real executors: instances run, wait for slots and times, and end."""

from __future__ import annotations

import time

from execution.domain.outcome import Sort, TaskFailed
from execution.models import Attempt, ExecutionLog, Instance, Task
from flows.domain.compiled import RetryPolicy, Strategy
from retries.models import ExceptionRecord
from tests.fakes.executors import Blocking, Scripted
from tests.fakes.flows import flow, task
from tests.fakes.http_server import HttpServer
from tests.integration.execution.kit import Bench, done, drive, wait_for

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
