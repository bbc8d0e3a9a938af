"""The exception rows that a failure, a retry and a success leave."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from execution.domain.outcome import Failure, Sort
from execution.engine.port import FailedTask
from flows.domain.compiled import Jitter, RetryPolicy, Strategy
from retries.port import EXCEPTION, MESSAGE_LENGTH, TABLES, RetryPort, exception_id
from tests.fakes.clock import START

TASK = FailedTask(
    instance_id="i",
    flow_id="f",
    flow_name="flow",
    task_id="t",
    task_name="deduct",
    run=1,
    attempt=2,
    retries=1,
    first_failed_at=START,
)
BUSY = Failure(sort=Sort.REFUSED_NOW, type="E", code="HTTP_503", message="not now", stack="trace", response={"a": 1})
AUTO = RetryPolicy(strategy=Strategy.AUTO, max_attempts=3, interval=5, jitter=Jitter.NONE)
PORT = RetryPort()


def test_it_opens_a_record_with_all_that_is_known() -> None:
    decision = PORT.on_failure(TASK, BUSY, replace(AUTO, strategy=Strategy.MANUAL), now=START, jitter=0)
    assert decision.retry_at is None
    (row,) = decision.rows
    assert (row.table, row.key, row.only_update) == (EXCEPTION, exception_id(TASK), False)
    fingerprint = row.values["fingerprint"]
    assert len(fingerprint) == 32
    assert row.values == {
        "instance_id": "i",
        "flow_id": "f",
        "flow_name": "flow",
        "task_id": "t",
        "task_name": "deduct",
        "run": 1,
        "error_type": "E",
        "error_code": "HTTP_503",
        "error_message": "not now",
        "stack_trace": "trace",
        "retry_strategy": "manual",
        "retry_times": 1,
        "retry_max": 3,
        "retry_interval": 5,
        "retry_next_at": None,
        "state": "open",
        "handled": False,
        "handled_by": "",
        "handled_at": None,
        "handled_remark": "",
        "resolution": "",
        "runbook": "",
        "fingerprint": fingerprint,
        "details": {"attempt": 2, "reason": "manual", "sort": "refused_now", "answer": {"a": 1}},
        "occurred_at": START,
        "updated_at": START,
    }


def test_it_updates_the_record_while_retries_go_on() -> None:
    decision = PORT.on_failure(TASK, BUSY, AUTO, now=START, jitter=0)
    assert decision.retry_at == START + timedelta(seconds=10)
    (row,) = decision.rows
    assert row.values["state"] == "retrying"
    assert row.values["retry_times"] == 2
    assert row.values["retry_next_at"] == decision.retry_at


def test_it_says_no_retries_where_there_are_none() -> None:
    (row,) = PORT.on_failure(TASK, BUSY, replace(AUTO, strategy=Strategy.NO_RETRY), now=START, jitter=0).rows
    assert row.values["retry_max"] == 0


def test_it_shortens_a_message_that_is_too_long() -> None:
    failure = replace(BUSY, message="x" * (MESSAGE_LENGTH + 1))
    (row,) = PORT.on_failure(TASK, failure, AUTO, now=START, jitter=0).rows
    assert row.values["error_message"] == "x" * MESSAGE_LENGTH


def test_it_marks_the_record_as_retried_by_a_person() -> None:
    (row,) = PORT.on_retry(TASK, now=START, by="li.wei")
    assert (row.table, row.key, row.only_update) == (EXCEPTION, exception_id(TASK), True)
    assert row.values == {"state": "retrying", "retry_next_at": START, "updated_at": START}


def test_it_lets_a_new_run_take_the_place_of_those_before() -> None:
    third = replace(TASK, run=3)
    *older, newest = PORT.on_failure(third, BUSY, AUTO, now=START, jitter=0).rows
    assert newest.key == exception_id(third)
    assert [row.key for row in older] == [exception_id(replace(TASK, run=run)) for run in (1, 2)]
    assert all(row.only_update and row.values["state"] == "resolved" for row in older)


def test_it_closes_every_run_at_a_success() -> None:
    rows = PORT.on_success(replace(TASK, run=2), now=START, by="engine")
    assert [row.key for row in rows] == [exception_id(replace(TASK, run=run)) for run in (1, 2)]
    for row in rows:
        assert row.only_update
        assert row.values == {"state": "resolved", "retry_next_at": None, "updated_at": START}


def test_it_names_a_record_by_instance_task_and_run() -> None:
    names = {
        exception_id(replace(TASK, **change)) for change in ({}, {"run": 2}, {"task_id": "u"}, {"instance_id": "j"})
    }
    assert len(names) == 4
    assert exception_id(TASK) == exception_id(replace(TASK, attempt=9))


def test_it_writes_only_columns_it_has_declared() -> None:
    spec = TABLES[EXCEPTION]
    (row,) = PORT.on_failure(TASK, BUSY, AUTO, now=START, jitter=0).rows
    assert (spec.table, spec.key) == ("retries_exceptionrecord", "id")
    assert set(row.values) == set(spec.columns)
