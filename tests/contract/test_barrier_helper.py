"""The importable barrier in a service's own database: duplicate, empty undo, late action."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
from typing import Any

import pytest
from django.db import connection, transaction

from disttask_project.barrier import create_table, first_call, first_undo, vendor_of
from tests.contract.db_target import Target

pytestmark = pytest.mark.store
CALL, UNDO = "order-1:reserve", "order-1:reserve:undo"


@pytest.fixture
def cursor(target: Target) -> Any:
    """Of the driver itself, as a service without Django has it."""
    made = target.session.connection.cursor()
    create_table(made)
    create_table(made)
    return made


def test_a_call_is_done_once(cursor: Any) -> None:
    assert [first_call(cursor, CALL) for _ in range(3)] == [True, False, False]
    assert first_call(cursor, CALL.upper())


def test_an_undo_is_done_once_after_its_call(cursor: Any) -> None:
    first_call(cursor, CALL)
    assert [first_undo(cursor, UNDO) for _ in range(3)] == [True, False, False]


def test_an_empty_undo_does_nothing_and_stops_the_late_call(cursor: Any) -> None:
    assert not first_undo(cursor, UNDO)
    assert not first_call(cursor, CALL)
    assert not first_undo(cursor, UNDO)


def test_a_later_run_is_named(cursor: Any) -> None:
    first_call(cursor, f"{CALL}:r2")
    assert first_undo(cursor, UNDO, undoes=f"{CALL}:r2")


def test_long_keys_are_told_apart(cursor: Any) -> None:
    assert first_call(cursor, "k" * 300)
    assert not first_call(cursor, "k" * 300)
    assert first_call(cursor, "k" * 301)


def test_what_is_rolled_back_may_be_done_again(target: Target, cursor: Any) -> None:
    cursor.execute("BEGIN")
    assert first_call(cursor, CALL)
    cursor.execute("ROLLBACK")
    assert first_call(cursor, CALL)
    assert target.sql("SELECT COUNT(*) FROM disttask_barrier") == [(1,)]


def test_of_two_at_once_one_waits_and_finds_it_done(target: Target, cursor: Any) -> None:
    answers: list[bool] = []

    def second() -> None:
        session = target.executor._sessions.take(target.executor._spec("default")[0], deadline=1e12)
        other = session.connection.cursor()
        other.execute("BEGIN IMMEDIATE" if target.vendor == "sqlite" else "BEGIN")
        answers.append(first_call(other, CALL))
        other.execute("COMMIT")
        session.close()

    cursor.execute("BEGIN IMMEDIATE" if target.vendor == "sqlite" else "BEGIN")
    assert first_call(cursor, CALL)
    thread = threading.Thread(target=second)
    thread.start()
    thread.join(0.5)
    assert answers == []
    cursor.execute("COMMIT")
    thread.join(20)
    assert answers == [False]


@pytest.mark.django_db(transaction=True)  # MySQL commits whenever a table is made
def test_a_cursor_of_django_will_do() -> None:
    with connection.cursor() as own:
        create_table(own)
    with transaction.atomic(), connection.cursor() as own:
        assert first_call(own, CALL)
        assert not first_call(own, CALL)


def test_an_unknown_cursor_is_refused() -> None:
    with pytest.raises(TypeError):
        vendor_of(object())  # type: ignore[arg-type]
    with sqlite3.connect(":memory:") as own:
        assert vendor_of(own.cursor()) == "sqlite"
    own.close()


def test_it_needs_the_standard_library_alone() -> None:
    asked = "import sys, disttask_project.barrier; print([n for n in ('django', 'execution') if n in sys.modules])"
    told = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"
