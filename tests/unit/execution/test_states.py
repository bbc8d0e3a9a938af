"""Every pair of states, against tables written out once more by hand."""

from __future__ import annotations

from itertools import product

import pytest

from execution.domain.states import (
    INSTANCE_TRANSITIONS,
    TASK_TRANSITIONS,
    IllegalTransition,
    InstanceStatus,
    TaskStatus,
    check_instance,
    check_task,
)

INSTANCE = {
    "pending": "running paused cancelled failed",
    "running": "success failed paused cancelled compensating",
    "failed": "running cancelled compensating",
    "paused": "pending running failed cancelled compensating",
    "compensating": "compensated failed paused",
}
TASK = {
    "pending": "running retrying skipped failed cancelled success",
    "running": "success failed retrying unknown cancelled",
    "retrying": "running pending failed skipped success cancelled unknown compensating",
    "unknown": "retrying failed success skipped cancelled compensating",
    "failed": "running retrying pending unknown skipped success cancelled compensating",
    "success": "pending compensating",
    "skipped": "pending",
    "cancelled": "pending compensating",
    "compensating": "compensated success failed",
    "compensated": "pending",
}


@pytest.mark.parametrize(("old", "new"), list(product(InstanceStatus, InstanceStatus)))
def test_it_allows_an_instance_what_the_table_says(old: InstanceStatus, new: InstanceStatus) -> None:
    if new in INSTANCE.get(old, "").split():
        check_instance(old, new)
    else:
        with pytest.raises(IllegalTransition, match=f"^instance: {old} -> {new}$"):
            check_instance(old, new)


@pytest.mark.parametrize(("old", "new"), list(product(TaskStatus, TaskStatus)))
def test_it_allows_a_task_what_the_table_says(old: TaskStatus, new: TaskStatus) -> None:
    if new in TASK.get(old, "").split():
        check_task(old, new)
    else:
        with pytest.raises(IllegalTransition, match=f"^task: {old} -> {new}$"):
            check_task(old, new)


def test_it_has_a_row_for_every_state() -> None:
    assert set(INSTANCE_TRANSITIONS) == set(InstanceStatus)
    assert set(TASK_TRANSITIONS) == set(TaskStatus)


@pytest.mark.parametrize("status", InstanceStatus)
def test_it_calls_an_instance_terminal_where_a_person_can_do_nothing_more(status: InstanceStatus) -> None:
    assert status.is_terminal == (status in ("success", "cancelled", "compensated"))
    assert not (status.is_terminal and INSTANCE_TRANSITIONS[status])


@pytest.mark.parametrize("status", TaskStatus)
def test_it_knows_which_tasks_have_ended(status: TaskStatus) -> None:
    assert status.has_ended == (status in ("success", "failed", "skipped", "cancelled", "compensated"))
