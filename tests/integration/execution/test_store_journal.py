"""Groups of units on a real database: written whole, only under their fence, and read back as they were."""

from __future__ import annotations

import copy
import threading
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import connection, connections

from execution.domain.outcome import Failure, Result, Sort
from execution.domain.states import TaskStatus
from execution.engine.events import Claimed, Start
from execution.engine.state import ErrorInfo, LogRow, TaskState, Unit
from execution.models import Attempt, ExecutionLog, Instance, Task
from execution.stores.base import RecordRefused, StoreUnavailable
from flows.domain.compiled import RetryPolicy, Strategy
from retries.models import ExceptionRecord
from tests.fakes.flows import flow, task
from tests.integration.execution.kit import Bench

ONE = flow("f", task("a", input={"x": 1}))


def test_a_start_writes_instance_task_attempt_and_log(bench: Bench) -> None:
    (instance_id,) = bench.insert(ONE)
    unit = bench.start(bench.load().state, "a")
    assert bench.store.apply([unit]) == set()
    row = Instance.objects.get()
    assert (row.status, row.rev, row.owner) == ("running", unit.rev, "me")
    assert Task.objects.values_list("id", "status", "input_data").get() == (f"{instance_id}:a", "running", {"x": 1})
    attempt = Attempt.objects.get()
    assert (attempt.status, attempt.fence, attempt.request["input"]) == ("started", 1, {"x": 1})
    assert [log.seq for log in ExecutionLog.objects.order_by("seq")] == list(range(1, row.seq + 1))


def test_an_end_releases_the_row(bench: Bench) -> None:
    bench.insert(ONE)
    state = bench.load().state
    bench.store.apply([bench.start(state, "a")])
    bench.store.apply([bench.end(state, "a", Result(value={"ok": True}))])
    row = Instance.objects.get()
    assert (row.status, row.owner, row.lease_until, row.wake_at) == ("success", "", None, None)
    assert Attempt.objects.values_list("status", "response").get() == ("success", {"ok": True})
    assert Attempt.objects.get().request is not None
    assert Task.objects.get().result == {"ok": True}


def test_a_stale_fence_writes_nothing_and_others_commit(bench: Bench) -> None:
    first, second = bench.insert(ONE, 2)
    units = [bench.start(each.state, "a") for each in bench.store.load(bench.claim())]
    Instance.objects.filter(pk=first).update(fence=9)
    assert bench.store.apply(units) == {first}
    assert list(Task.objects.values_list("instance_id", flat=True)) == [second]


def test_a_unit_is_applied_once(bench: Bench) -> None:
    (instance_id,) = bench.insert(ONE)
    unit = bench.start(bench.load().state, "a")
    assert bench.store.positions([instance_id]) == {instance_id: (1, unit.base_rev)}
    assert bench.store.apply([unit]) == set()
    assert bench.store.positions([instance_id]) == {instance_id: (1, unit.rev)}
    assert bench.store.apply([unit]) == {instance_id}


def test_what_is_loaded_is_what_was_held(bench: Bench) -> None:
    bench.insert(flow("f", task("a", input={"x": [1, "é", None, 2.5]}), task("b", "a")))
    state = bench.load().state
    unit = bench.start(state, "a")
    at = datetime(2026, 11, 23, 4, 5, 6, 789, tzinfo=UTC)
    held = unit.tasks["a"]
    held.error = ErrorInfo(type="T", code="C", message="m", stack="s", final=True)
    held.next_at = held.first_failed_at = at
    bench.store.apply([unit])
    loaded = bench.store.load(bench.claim("next", now=bench.later(60)))[0]
    assert loaded.state.tasks["a"] == TaskState(**{**_fields(held), "open_attempt": None})
    assert (loaded.state.rev, loaded.state.seq, loaded.state.strikes) == (unit.rev, state.seq, 1)
    (opened,) = loaded.open_attempts
    assert (opened.task_id, opened.number, opened.fence, opened.status) == ("a", 1, 1, "started")


def test_a_failure_opens_its_exception_and_success_closes_it(bench: Bench) -> None:
    retry = RetryPolicy(strategy=Strategy.AUTO, interval=0.0)
    bench.insert(flow("f", task("a", retry=retry)))
    state = bench.load().state
    bench.store.apply([bench.start(state, "a")])
    bench.store.apply([bench.end(state, "a", _failure())])
    assert ExceptionRecord.objects.get().error_code == "HTTP_503"
    assert state.tasks["a"].status is TaskStatus.RETRYING
    (claim,) = bench.claim(now=bench.later(10))
    state = bench.store.load([claim])[0].state
    bench.store.apply([bench.step(state, Claimed(), Start(task_ids=["a"], worker="me"))])
    from execution.engine.events import Ended

    bench.store.apply([bench.step(state, Ended(task_id="a", attempt=2, outcome=Result(value=1), duration_ms=1.0))])
    assert ExceptionRecord.objects.get().state == "resolved"
    assert Instance.objects.get().status == "success"


def test_many_units_of_all_shapes_fit_one_group(bench: Bench) -> None:
    bench.insert(flow("wide", task("a"), *[task(f"m{number}", "a") for number in range(30)]), 60)
    states = [each.state for each in bench.store.load(bench.claim())]
    units = [bench.start(state, "a") for state in states]
    for unit, state in zip(units[:30], states[:30], strict=True):
        units[units.index(unit)] = _fold(unit, bench.end(state, "a", Result(value={})))
    assert bench.store.apply(units) == set()
    assert Instance.objects.filter(status="running").count() == 60
    assert Attempt.objects.filter(status="success").count() == 30


def test_a_value_that_cannot_be_stored_is_refused_and_nothing_is_written(bench: Bench) -> None:
    bench.insert(ONE, 2)
    good, bad = (bench.start(each.state, "a") for each in bench.store.load(bench.claim()))
    bad.logs.append(LogRow(seq=bad.logs[0].seq, task_id="", action="twice", message="", details=None, at=_now()))
    with pytest.raises(RecordRefused):
        bench.store.apply([good, bad])
    assert not Task.objects.exists()
    assert bench.store.apply([good]) == set()


@pytest.mark.parametrize("value", [float("nan"), "\ud800", {1, 2}], ids=["nan", "surrogate", "set"])
def test_json_that_no_store_takes_is_refused(bench: Bench, value: Any) -> None:
    bench.insert(ONE)
    unit = bench.start(bench.load().state, "a")
    unit.tasks["a"].result = {"value": value}
    with pytest.raises(RecordRefused):
        bench.store.apply([unit])


def test_long_codes_are_cut_and_control_characters_replaced(bench: Bench) -> None:
    bench.insert(ONE)
    state = bench.load().state
    bench.store.apply([bench.start(state, "a")])
    failure = Failure(sort=Sort.REFUSED, type="T" * 99, code="C" * 999, message="nul \x00", stack="\x00")
    bench.store.apply([bench.end(state, "a", failure)])
    row = Task.objects.get()
    assert (len(row.error_type), len(row.error_code)) == (64, 128)
    assert "\x00" not in row.error_message


def test_a_row_locked_by_another_is_waited_for_or_told_as_passing(bench: Bench) -> None:
    bench.insert(ONE)
    unit = bench.start(bench.load().state, "a")
    if connection.vendor == "sqlite":
        pytest.skip("one writer: covered by the busy timeout")
    locked, done = threading.Event(), threading.Event()

    def hold() -> None:
        with connections["default"].cursor() as cursor:
            cursor.execute("BEGIN")
            cursor.execute("SELECT id FROM execution_instance FOR UPDATE")
            cursor.fetchall()
            locked.set()
            done.wait(10)
            cursor.execute("ROLLBACK")
        connections.close_all()

    holder = threading.Thread(target=hold)
    holder.start()
    locked.wait(10)
    threading.Timer(0.3, done.set).start()
    assert bench.store.apply([unit]) == set()
    holder.join(10)


def test_a_lost_connection_is_passing_and_the_next_call_connects_anew(bench: Bench) -> None:
    bench.insert(ONE)
    unit = bench.start(bench.load().state, "a")
    if connection.vendor == "sqlite":
        pytest.skip("no connection to lose")
    _kill_connection()
    with pytest.raises(StoreUnavailable) as caught:
        bench.store.apply([unit])
    assert not caught.value.commit_sent
    assert bench.store.apply([unit]) == set()


def test_a_missing_table_passes_too(bench: Bench) -> None:
    bench.insert(ONE)
    unit = bench.start(bench.load().state, "a")
    _run("ALTER TABLE execution_task RENAME TO execution_task_away")
    try:
        with pytest.raises(StoreUnavailable):
            bench.store.apply([unit])
    finally:
        _run("ALTER TABLE execution_task_away RENAME TO execution_task")
    assert bench.store.apply([unit]) == set()


def test_a_version_that_cannot_be_compiled_spoils_nobody_else(bench: Bench) -> None:
    good = bench.insert(flow("good", task("a")))
    bad = bench.insert(flow("bad", task("a")))
    version_id = Instance.objects.get(pk=bad[0]).version_id
    del bench.shelf.flows[version_id]
    loaded = {each.state.id: each for each in bench.store.load(bench.claim())}
    assert loaded[good[0]].broken == ""
    assert "KeyError" in loaded[bad[0]].broken
    assert loaded[bad[0]].state.tasks == {}


def test_a_corrupt_row_spoils_nobody_else(bench: Bench) -> None:
    first, second = bench.insert(ONE, 2)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE execution_instance SET params = %s WHERE id = %s", ["{broken", first])
    loaded = {each.state.id: each for each in bench.store.load(bench.claim())}
    assert "cannot be read" in loaded[first].broken
    assert loaded[first].state.status == "pending"  # what could be read is kept: its log tells the truth
    assert not loaded[second].broken


LOOSE = {
    "sqlite": "PRAGMA foreign_keys = OFF",
    "mysql": "SET foreign_key_checks = 0",
    "postgresql": "SET session_replication_role = replica",
}


def test_a_row_whose_version_is_gone_is_told_to_be_broken_not_left_out(bench: Bench) -> None:
    """Left out it was claimed again at every lease, for ever, and parked never."""
    first, second = bench.insert(ONE, 2)
    with connection.cursor() as cursor:
        cursor.execute(LOOSE[connection.vendor])
        cursor.execute("UPDATE execution_instance SET version_id = 'gone' WHERE id = %s", [first])
    connection.close()
    loaded = {each.state.id: each for each in bench.store.load(bench.claim())}
    assert "version gone is gone" in loaded[first].broken
    assert not loaded[second].broken
    Instance.objects.filter(pk=first).delete()


def test_a_late_answer_is_kept_beside_the_attempt_once(bench: Bench) -> None:
    bench.insert(ONE)
    unit = bench.start(bench.load().state, "a")
    bench.store.apply([unit])
    (attempt,) = unit.attempts.values()
    for answer in ("first", "second"):
        late = copy.copy(attempt)
        late.stale = {"result": answer}
        bench.store.keep_stale(late)
    row = Attempt.objects.get()
    assert (row.stale, row.status) == ({"result": "first"}, "started")


def _run(sql: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql)


def _kill_connection() -> None:
    """End this thread's server process from another connection."""
    ask = "SELECT CONNECTION_ID()" if connection.vendor == "mysql" else "SELECT pg_backend_pid()"
    with connection.cursor() as cursor:
        cursor.execute(ask)
        pid = cursor.fetchone()[0]

    def kill() -> None:
        with connections["default"].cursor() as cursor:
            cursor.execute(f"KILL {pid}" if connection.vendor == "mysql" else f"SELECT pg_terminate_backend({pid})")
        connections.close_all()

    killer = threading.Thread(target=kill)
    killer.start()
    killer.join(10)


def _failure() -> Failure:
    return Failure(sort=Sort.REFUSED_NOW, type="HttpError", code="HTTP_503", message="busy")


def _fields(task_state: TaskState) -> dict[str, Any]:
    return {name: getattr(task_state, name) for name in TaskState.__slots__}


def _fold(first: Unit, second: Unit) -> Unit:
    from execution.engine.core import fold

    return fold(first, second)


def _now() -> datetime:
    return datetime.now(UTC)
