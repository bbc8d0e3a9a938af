"""The db type against a real target on the vendor of this run's store: SQLite, MariaDB or PostgreSQL."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from disttask_project.kernel import json
from execution.domain.outcome import Sort, TaskFailed
from execution.executors.db import work
from execution.executors.db.executor import DbExecutor
from execution.executors.db.sessions import Session
from execution.executors.db.work import barrier_key
from execution.executors.options import DbOptions, database_place
from tests.contract.db_target import Target
from tests.unit.execution.executors.calls import call

pytestmark = pytest.mark.store


def test_it_inserts_and_returns(target: Target) -> None:
    data = {"order_id": "o1", "amount": 100, "price": "19.9900", "note": "付款"}
    value = target.do(operation="insert", data=data, returning=["id", "order_id", "price", "note"])
    assert value == {"affected": 1, "rows": [{"id": 1, "order_id": "o1", "price": _price(target), "note": "付款"}]}


def _price(target: Target) -> Any:
    return 19.99 if target.vendor == "sqlite" else "19.9900"  # SQLite has no decimals


def test_it_updates_matched_rows_and_counts_unchanged_ones(target: Target) -> None:
    target.insert("o1", amount=1)
    target.insert("o2", amount=1)
    change: dict[str, Any] = {"operation": "update", "data": {"amount": 1}, "where": {"amount": 1}}
    assert target.do("a", **change) == {"affected": 2}
    value = target.do(
        "b", operation="update", data={"note": "x"}, where={"order_id": "o2"}, returning=["order_id", "note"]
    )
    assert value == {"affected": 1, "rows": [{"order_id": "o2", "note": "x"}]}
    assert target.do("c", operation="update", data={"note": "y"}, where={"order_id": "no"}) == {"affected": 0}


def test_it_upserts_by_the_columns_named(target: Target) -> None:
    change: dict[str, Any] = {"operation": "upsert", "conflict": ["order_id"], "returning": ["order_id", "amount"]}
    first = target.do("a", **change, data={"order_id": "o1", "amount": 1, "note": "new"})
    assert first == {"affected": 1, "rows": [{"order_id": "o1", "amount": 1}]}
    second = target.do("b", **change, data={"order_id": "o1", "amount": 2})
    assert second == {"affected": 1, "rows": [{"order_id": "o1", "amount": 2}]}
    assert target.do("c", operation="upsert", conflict=["order_id"], data={"order_id": "o1"}) == {"affected": 1}
    assert target.sql("SELECT amount, note FROM orders") == [(2, "new")]


def test_an_upsert_without_conflict_goes_by_the_primary_key(target: Target) -> None:
    for key, name in (("a", "ann"), ("b", "ben")):
        target.do(key, operation="upsert", table="people", data={"id": 1, "name": name})
    assert target.sql("SELECT name FROM people") == [("ben",)]
    assert target.refused("c", operation="upsert", data={"amount": 1}) == (Sort.REFUSED, "DB_NO_CONFLICT_KEY")


def test_an_upsert_never_changes_another_row(target: Target) -> None:
    target.insert("o1", amount=1)
    clash: dict[str, Any] = {
        "operation": "upsert",
        "conflict": ["id"],
        "data": {"id": 77, "order_id": "o1", "amount": 9},
    }
    assert target.refused("b", **clash) == (Sort.REFUSED, "DB_CONSTRAINT")
    assert target.sql("SELECT order_id, amount FROM orders") == [("o1", 1)]


def test_a_repeated_upsert_is_made_once(target: Target) -> None:
    change: dict[str, Any] = {"operation": "upsert", "conflict": ["order_id"]}
    target.do("a", **change, data={"order_id": "o1", "amount": 1})
    target.sql("UPDATE orders SET amount = 5")
    target.do("a", **change, data={"order_id": "o1", "amount": 1})
    assert target.sql("SELECT amount FROM orders") == [(5,)]


def test_it_deletes_and_returns(target: Target) -> None:
    target.insert("o1", amount=7)
    value = target.do(operation="delete", where={"order_id": "o1"}, returning=["order_id", "amount"])
    assert value == {"affected": 1, "rows": [{"order_id": "o1", "amount": 7}]}
    assert target.sql("SELECT COUNT(*) FROM orders") == [(0,)]


@pytest.mark.parametrize(
    ("where", "found"),
    [
        ({"amount": 2}, ["b"]),
        ({"amount": {"!=": 2}}, ["a", "c"]),
        ({"amount": {">": 1, "<": 3}}, ["b"]),
        ({"amount": {">=": 2}}, ["b", "c"]),
        ({"amount": {"<=": 1}}, ["a"]),
        ({"amount": {"in": [1, 3, 9]}}, ["a", "c"]),
        ({"amount": {"between": [2, 3]}}, ["b", "c"]),
        ({"note": {"like": "n_%"}}, ["a", "b"]),
        ({"note": {"is_null": True}}, ["c"]),
        ({"note": {"is_null": False}, "amount": {">": 1}}, ["b"]),
        ({}, ["a", "b", "c"]),
    ],
)
def test_it_selects_by_every_operator(target: Target, where: dict[str, Any], found: list[str]) -> None:
    for number, order in enumerate("abc", start=1):
        target.insert(order, amount=number, note=f"n{number}" if number < 3 else None)
    rows = target.do(operation="select", where=where, returning=["order_id"])["rows"]
    assert sorted(row["order_id"] for row in rows) == found


def test_it_caps_the_rows_it_reads(target: Target) -> None:
    for number in range(60):
        target.insert(f"o{number}")
    value = target.do(operation="select", limit=10)
    assert (len(value["rows"]), value["truncated"]) == (10, True)
    assert len(target.do(operation="select", limit=1_000)["rows"]) == 50
    assert "truncated" not in target.do(operation="select", where={"order_id": "o1"})


def test_it_gives_values_that_json_can_hold(target: Target) -> None:
    target.insert("o1", paid_at="2026-11-23 10:00:00", price="0.1000")
    row = target.do(operation="select")["rows"][0]
    assert json.fault_in(row) is None
    assert row["paid_at"].replace("T", " ").startswith("2026-11-23 10:00:00")


def test_it_answers_a_repeat_from_the_barrier(target: Target) -> None:
    config: dict[str, Any] = {"operation": "insert", "data": {"order_id": "o1"}, "returning": ["id"]}
    first = target.do("same", **config)
    assert [target.do("same", **config) for _ in range(3)] == [first] * 3
    assert target.sql("SELECT COUNT(*) FROM orders") == [(1,)]
    add: dict[str, Any] = {"operation": "update", "data": {"note": "x"}, "where": {"order_id": "o1"}}
    assert target.do("same", **add) == {"affected": 1}
    target.do("same", operation="delete", where={"order_id": "o1"})
    assert target.do("same", **config) == first  # already done under this key, so not done again
    assert target.do("same", run=2, **config)["affected"] == 1  # a new run is new work
    assert target.sql("SELECT COUNT(*) FROM orders") == [(1,)]


def test_it_leaves_no_barrier_behind_a_failure(target: Target) -> None:
    target.insert("o1")
    config: dict[str, Any] = {"operation": "insert", "data": {"order_id": "o1"}}
    assert target.refused("again", **config) == (Sort.REFUSED, "DB_CONSTRAINT")
    target.do("gone", operation="delete", where={"order_id": "o1"})
    assert target.do("again", **config) == {"affected": 1}


def test_one_of_many_at_once_does_the_work(target: Target) -> None:
    config: dict[str, Any] = {"operation": "insert", "data": {"order_id": "o1"}, "returning": ["id"]}
    target.insert("warm")
    answers: list[Any] = []

    def work() -> None:
        try:
            answers.append(target.do("same", **config))
        except TaskFailed as error:
            answers.append(error.failure.code)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    done = [answer for answer in answers if isinstance(answer, dict)]
    assert all(answer == done[0] for answer in done)
    assert {answer for answer in answers if isinstance(answer, str)} <= {"DB_DEADLOCK", "DB_LOCK_TIMEOUT"}
    assert target.sql("SELECT COUNT(*) FROM orders WHERE order_id = 'o1'") == [(1,)]


def test_it_touches_no_more_rows_than_allowed(target: Target) -> None:
    for number in range(5):
        target.insert(f"o{number}", amount=1)
    change: dict[str, Any] = {"operation": "update", "data": {"amount": 2}, "where": {"amount": 1}}
    assert target.refused(limit=4, **change) == (Sort.REFUSED, "DB_TOO_MANY_ROWS")
    assert target.refused(operation="delete", where={"amount": 1}, limit=4)[1] == "DB_TOO_MANY_ROWS"
    assert target.sql("SELECT COUNT(*) FROM orders WHERE amount = 1") == [(5,)]
    assert target.do(limit=5, **change) == {"affected": 5}


def test_it_gives_up_on_a_locked_row_by_its_deadline(target: Target) -> None:
    target.insert("o1", amount=1)
    other = target.session.connection.cursor()
    other.execute("BEGIN IMMEDIATE" if target.vendor == "sqlite" else "BEGIN")
    other.execute("UPDATE orders SET amount = 9 WHERE order_id = 'o1'")
    started = time.monotonic()
    sort, code = target.refused(timeout=1.2, operation="update", data={"amount": 2}, where={"order_id": "o1"})
    assert time.monotonic() - started < 3
    assert sort is Sort.REFUSED_NOW
    assert code in {"DB_LOCK_TIMEOUT", "TIMEOUT"}
    other.execute("ROLLBACK")
    assert target.do(operation="update", data={"amount": 2}, where={"order_id": "o1"}) == {"affected": 1}


@pytest.mark.parametrize(
    ("config", "code"),
    [
        ({"operation": "insert", "data": {"order_id": None}}, "DB_CONSTRAINT"),
        ({"operation": "insert", "data": {"order_id": "a", "nope": 1}}, "DB_UNKNOWN_COLUMN"),
        ({"operation": "select", "where": {"nope": 1}}, "DB_UNKNOWN_COLUMN"),
        ({"operation": "select", "returning": ["nope"]}, "DB_UNKNOWN_COLUMN"),
        ({"operation": "select", "table": "people", "returning": ["salary"]}, "DB_UNKNOWN_COLUMN"),
        ({"operation": "select", "table": "people", "where": {"salary": {">": 1}}}, "DB_UNKNOWN_COLUMN"),
        ({"operation": "select", "table": "disttask_barrier"}, "DB_TABLE_DENIED"),
        ({"operation": "select", "table": "other"}, "DB_TABLE_DENIED"),
        ({"operation": "delete"}, "BAD_CONFIG"),
        ({"operation": "update", "data": {"amount": 1}, "where": {}}, "BAD_CONFIG"),
        ({"operation": "drop"}, "BAD_CONFIG"),
    ],
)
def test_it_refuses_for_good(target: Target, config: dict[str, Any], code: str) -> None:
    assert target.refused(**config) == (Sort.REFUSED, code)


def test_it_refuses_values_that_do_not_fit(target: Target) -> None:
    if target.vendor == "sqlite":  # which takes any value in any column
        assert target.insert("x" * 30) == {"affected": 1}
        return
    assert target.refused(operation="insert", data={"order_id": "x" * 30}) == (Sort.REFUSED, "DB_DATA")
    assert target.refused(operation="insert", data={"order_id": "a", "amount": "abc"}) == (Sort.REFUSED, "DB_DATA")


def test_it_shows_only_the_allowed_columns(target: Target) -> None:
    target.sql("INSERT INTO people VALUES (1, 'li', 9999)")
    assert target.do(table="people", operation="select")["rows"] == [{"id": 1, "name": "li"}]


def test_it_comes_back_after_the_server_dropped_it(target: Target) -> None:
    target.insert("o1")
    session = target.executor._sessions.take(target.executor._spec("default")[0], deadline=time.monotonic() + 5)
    if target.vendor == "sqlite":
        session.connection.close()
        session.used_at = 0
    elif target.vendor == "mysql":
        target.sql(f"KILL {session.connection.thread_id()}")
        assert target.refused(operation="select") == (Sort.REFUSED_NOW, "DB_CONNECTION_LOST")
    else:
        target.sql(f"SELECT pg_terminate_backend({session.connection.info.backend_pid})")
        assert target.refused(operation="select") == (Sort.REFUSED_NOW, "DB_CONNECTION_LOST")
    assert len(target.do(operation="select")["rows"]) == 1


def test_a_connection_lost_at_commit_is_maybe_applied(target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    if target.vendor == "sqlite":
        return  # a file has no connection to lose
    target.insert("o1")
    commit = work._commit

    def cut(session: Session) -> None:
        if target.vendor == "mysql":
            target.sql(f"KILL {session.connection.thread_id()}")
        else:
            target.sql(f"SELECT pg_terminate_backend({session.connection.info.backend_pid})")
        commit(session)

    monkeypatch.setattr(work, "_commit", cut)
    config: dict[str, Any] = {"operation": "insert", "data": {"order_id": "o2"}}
    assert target.refused("lost", **config) == (Sort.MAYBE_APPLIED, "DB_COMMIT_UNKNOWN")
    monkeypatch.undo()
    assert target.do("lost", **config) == {"affected": 1}
    assert target.sql("SELECT COUNT(*) FROM orders WHERE order_id = 'o2'") == [(1,)]


def test_it_makes_its_barrier_only_where_it_may(target: Target, settings: Any) -> None:
    config: dict[str, Any] = {"connection": "bare", "operation": "insert", "data": {"order_id": "o1"}}
    assert target.refused(**config) == (Sort.REFUSED, "DB_BARRIER_MISSING")
    settings.DISTTASK = {**settings.DISTTASK, "DB_CONNECTIONS": dict(target.options.connections)}
    call_command("createbarrier", "bare")
    assert target.do(**config) == {"affected": 1}
    with pytest.raises(CommandError, match=r"db\.connections\.nowhere"):
        call_command("createbarrier", "nowhere")


def test_it_never_touches_the_engines_own_tables() -> None:
    options = DbOptions(
        connections={"default": {"url": "sqlite:////srv/own.sqlite3", "tables": ["execution_instance", "*"]}},
        engine_databases=frozenset({database_place("sqlite", "", 0, "/srv/own.sqlite3")}),
        engine_tables=frozenset({"execution_instance"}),
    )
    with pytest.raises(TaskFailed) as caught:
        DbExecutor(options).execute(call({"operation": "select", "table": "Execution_Instance"}))
    assert caught.value.failure.code == "DB_TABLE_DENIED"


def test_the_barrier_key_is_the_calls() -> None:
    assert barrier_key(call(key="k"), "insert") == ("k", "task:r1", "insert")
    assert barrier_key(call(key="k", run=2), "insert") == ("k", "task:r2", "insert")
    assert len(barrier_key(call(key="k" * 300), "insert")[0]) == 64
