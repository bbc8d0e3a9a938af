"""The undo of a db task at its target: duplicate, empty, and an action that comes too late."""

from __future__ import annotations

from typing import Any

import pytest

from execution.domain.outcome import Sort, TaskFailed, Undone
from tests.contract.db_target import Target
from tests.unit.execution.executors.calls import call

pytestmark = pytest.mark.store

PAY: dict[str, Any] = {"table": "orders", "operation": "insert", "data": {"order_id": "o1", "amount": 5}}
REFUND: dict[str, Any] = {"table": "orders", "operation": "delete", "where": {"order_id": "o1"}}
MARK: dict[str, Any] = {
    "table": "orders",
    "operation": "insert",
    "data": {"order_id": "refund", "amount": -5},
}


def act(target: Target) -> Any:
    return target.executor.execute(call(PAY, key="i:pay", task_id="pay")).value


def undo(target: Target, sent: dict[str, Any] = REFUND, run: int = 1, **undone: Any) -> Any:
    undoes = Undone(**{"task_id": "pay", "type": "db", "run": 1, "key": "i:pay", "config": PAY, **undone})
    key = "i:pay:undo" if run == 1 else f"i:pay:undo:r{run}"
    return target.executor.execute(call(sent, key=key, task_id="pay.undo", run=run, undoes=undoes)).value


def orders(target: Target) -> list[str]:
    return [row[0] for row in target.sql("SELECT order_id FROM orders ORDER BY order_id")]


def test_it_undoes_what_was_done(target: Target) -> None:
    act(target)
    assert undo(target) == {"affected": 1}
    assert orders(target) == []


def test_a_second_undo_changes_nothing(target: Target) -> None:
    act(target)
    assert undo(target, MARK) == undo(target, MARK)
    assert orders(target) == ["o1", "refund"]


def test_it_does_not_undo_what_never_happened(target: Target) -> None:
    assert undo(target, MARK) == {"affected": 0, "empty": True}
    assert orders(target) == []


def test_an_action_after_its_undo_is_refused(target: Target) -> None:
    undo(target, MARK)
    with pytest.raises(TaskFailed) as caught:
        act(target)
    assert (caught.value.failure.sort, caught.value.failure.code) == (Sort.REFUSED, "DB_UNDONE")
    assert orders(target) == []


def test_a_changed_undo_of_what_never_happened_stays_empty(target: Target) -> None:
    undo(target, MARK)
    assert undo(target, MARK, run=2) == {"affected": 0, "empty": True}
    assert orders(target) == []


def test_a_changed_undo_is_an_undo_of_its_own(target: Target) -> None:
    act(target)
    undo(target, MARK)
    assert undo(target, REFUND, run=2) == {"affected": 1}
    assert orders(target) == ["refund"]


@pytest.mark.parametrize("undone", [{"type": "http"}, {"config": {**PAY, "connection": "elsewhere"}}])
def test_it_undoes_all_the_same_where_the_action_left_no_row_here(target: Target, undone: dict[str, Any]) -> None:
    assert undo(target, MARK, **undone) == {"affected": 1}
    assert orders(target) == ["refund"]
