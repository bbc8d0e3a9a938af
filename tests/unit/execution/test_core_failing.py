"""What failures lead to: retries, answers that do not count, on_failure, deadlines."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from execution.domain.outcome import Failure, Sort
from execution.domain.states import InstanceStatus, TaskStatus
from execution.engine import core
from flows.domain.compiled import OnFailure
from tests.fakes.compiled import AUTO, MANUAL, NEVER
from tests.unit.execution.desk import BUSY, LOST, NO, OK, UNSENT, Desk

SUCCESS, FAILED = InstanceStatus.SUCCESS, InstanceStatus.FAILED
FAIL = {"on_failure": OnFailure.FAIL}


@pytest.mark.parametrize("failure", [BUSY, UNSENT, LOST])
def test_it_tries_again_by_the_policy_until_it_succeeds(failure: Failure) -> None:
    desk = Desk({"a": {"retry": AUTO}})
    assert desk.play(a=[failure, failure, OK]) is SUCCESS
    assert desk.rows.tasks["a"].attempt == 3
    assert desk.rows.tasks["a"].retries == 2
    assert desk.rows.tasks["a"].error is None
    assert desk.rows.tasks["a"].first_failed_at is None
    assert desk.rows.tasks["a"].next_at is None
    assert [row["state"] for row in desk.exceptions("a")] == ["resolved"]
    assert len(desk.logged("retry", "a")) == 2


def test_it_fails_for_good_when_the_attempts_are_spent() -> None:
    desk = Desk({"a": {"retry": AUTO}})
    assert desk.play(a=[BUSY] * 9) is FAILED
    task = desk.rows.tasks["a"]
    assert (task.attempt, task.retries, task.max_retry) == (3, 2, 2)
    assert task.error is not None
    assert task.error.final is True
    assert desk.rows.columns["error"] == {"type": "HttpError", "code": "HTTP_503", "message": "not now", "task_id": "a"}
    assert desk.exceptions("a")[0]["details"]["reason"] == "max_attempts"


def test_it_logs_when_it_will_try_again() -> None:
    desk = Desk({"a": {"retry": AUTO}})
    desk.claim()
    desk.start()
    desk.end("a", BUSY)
    task = desk.rows.tasks["a"]
    assert task.next_at is not None
    assert desk.clock.now() + timedelta(seconds=5) <= task.next_at <= desk.clock.now() + timedelta(seconds=10)
    assert desk.logged("retry")[0].details == {
        "from": "running",
        "to": "retrying",
        "code": "HTTP_503",
        "next_at": task.next_at.isoformat(),
        "retry": 1,
        "of": 2,
    }
    assert task.error is not None
    assert task.error.final is False
    assert task.first_failed_at == desk.clock.now()


def test_it_counts_the_budget_from_the_first_failure_of_the_run() -> None:
    desk = Desk({"a": {"retry": replace(AUTO, max_attempts=9, budget_seconds=25)}})
    assert desk.play(a=[BUSY] * 9) is FAILED
    assert desk.exceptions("a")[0]["details"]["reason"] == "budget_seconds"
    assert 2 <= desk.rows.tasks["a"].attempt <= 4


def test_it_wakes_for_a_retry_only_when_it_is_due() -> None:
    desk = Desk({"a": {"retry": AUTO}, "b": {}})
    desk.claim()
    desk.start()
    desk.end("a", BUSY)
    desk.pass_time(1)
    assert core.startable(desk.owned) == []
    assert core.next_tick(desk.owned) == desk.rows.tasks["a"].next_at
    desk.pass_time()
    assert core.startable(desk.owned) == ["a"]
    assert core.next_tick(desk.owned) is None


@pytest.mark.parametrize(
    ("policy", "failure", "attempts"),
    [(MANUAL, BUSY, 1), (NEVER, BUSY, 1), (NEVER, LOST, 1), (AUTO, NO, 1), (MANUAL, LOST, 4)],
)
def test_it_tries_as_often_as_strategy_and_failure_say(policy: Any, failure: Failure, attempts: int) -> None:
    desk = Desk({"a": {"retry": policy}})
    assert desk.play(a=[failure] * 9) is FAILED
    assert desk.rows.tasks["a"].attempt == attempts
    assert {row.status for row in desk.rows.attempts.values()} == {"unknown" if failure is LOST else "failed"}


def test_it_calls_a_lost_answer_unknown() -> None:
    desk = Desk({"a": {"retry": AUTO}})
    desk.claim()
    desk.start()
    desk.end("a", LOST)
    assert desk.attempt("a").status == "unknown"
    task = desk.rows.tasks["a"]
    assert task.error is not None
    assert (task.error.type, task.error.code) == ("UnknownOutcome", "TIMEOUT")
    assert desk.task_status("a") is TaskStatus.RETRYING
    log = desk.logged("unknown", "a")[0]
    assert (log.message, log.details["code"], log.details["attempt"]) == ("no answer", "TIMEOUT", 1)


def test_it_lets_independent_branches_run_to_their_end_under_hold() -> None:
    desk = Desk({"a": {}, "b": {}, "c": {"after": "b"}, "d": {"after": "ac"}})
    assert desk.play(a=NO) is FAILED
    assert desk.task_status("c") is TaskStatus.SUCCESS
    assert desk.task_status("d") is TaskStatus.PENDING
    assert desk.rows.columns["needs_attention"] is True
    assert desk.rows.columns["closed"] is False
    assert desk.rows.columns["completed_at"] is None


def test_it_names_the_first_of_several_failures() -> None:
    desk = Desk({"a": {}, "b": {}})
    desk.claim()
    desk.start()
    desk.end("b", NO)
    desk.clock.advance(1)
    desk.end("a", BUSY)
    assert desk.rows.columns["error"]["task_id"] == "b"
    assert desk.logged("failed", "")[0].details["error"]["task_id"] == "b"


def test_it_closes_at_once_under_fail() -> None:
    desk = Desk({"a": {}, "b": {"retry": AUTO}, "c": {"after": "b"}, "d": {}}, on_failure=OnFailure.FAIL)
    desk.claim()
    desk.start("a", "b")
    desk.end("b", BUSY)
    desk.end("a", NO)
    assert desk.status() is FAILED
    assert desk.rows.columns["closed"] is True
    assert desk.rows.columns["needs_attention"] is False
    assert desk.rows.columns["completed_at"] == desk.clock.now()
    assert desk.rows.columns["error"]["task_id"] == "a"
    assert desk.task_status("b") is TaskStatus.CANCELLED
    assert desk.exceptions("b")[0]["state"] == "resolved"
    assert desk.exceptions("a")[0]["state"] == "open"
    assert desk.task_status("d") is TaskStatus.PENDING


def test_it_lets_calls_in_flight_end_under_fail() -> None:
    desk = Desk({"a": FAIL, "b": {}, "c": {"after": "b"}})
    desk.claim()
    desk.start()
    desk.end("a", NO)
    assert desk.status() is InstanceStatus.RUNNING
    assert core.startable(desk.owned) == []
    desk.end("b")
    assert desk.status() is FAILED
    assert desk.task_status("b") is TaskStatus.SUCCESS
    assert desk.task_status("c") is TaskStatus.PENDING


def test_it_asks_the_task_s_own_on_failure() -> None:
    held = Desk({"a": {"on_failure": OnFailure.HOLD}}, on_failure=OnFailure.FAIL)
    held.play(a=NO)
    assert held.rows.columns["needs_attention"] is True
    closed = Desk({"a": FAIL}, on_failure=OnFailure.HOLD)
    closed.play(a=NO)
    assert closed.rows.columns["closed"] is True


def test_it_starts_nothing_after_an_input_that_fails_the_instance() -> None:
    broken = {"input": {"x": lambda scope: scope["params"]["missing"]}}
    desk = Desk({"a": broken, "b": {}}, on_failure=OnFailure.FAIL)
    desk.claim()
    assert desk.start("a", "b") == []
    assert desk.status() is FAILED
    assert desk.task_status("b") is TaskStatus.PENDING


def test_nothing_starts_past_the_deadline_though_no_tick_has_told_of_it() -> None:
    desk = Desk({"a": {}, "b": {"after": "a"}}, timeout_seconds=60)
    desk.claim()
    desk.start()
    desk.clock.advance(61)  # a driver that slept hears of the answer first
    desk.end("a")
    assert desk.task_status("b") is TaskStatus.PENDING
    assert desk.status() is FAILED
    assert desk.rows.columns["error"]["code"] == "INSTANCE_TIMEOUT"


def test_a_task_that_is_never_retried_shows_no_retries() -> None:
    desk = Desk({"a": {"retry": NEVER}})
    desk.claim()
    desk.start()
    assert desk.rows.tasks["a"].max_retry == 0


def test_it_starts_nothing_after_the_deadline() -> None:
    desk = Desk({"a": {}, "b": {"after": "a"}}, timeout_seconds=60)
    desk.claim()
    assert core.next_tick(desk.owned) == desk.rows.columns["deadline_at"]
    desk.start()
    desk.pass_time()
    assert core.next_tick(desk.owned) is None
    assert desk.logged("timeout")[0].message == "INSTANCE_TIMEOUT"
    desk.end("a")
    assert desk.status() is FAILED
    error = desk.rows.columns["error"]
    assert (error["type"], error["code"], error["task_id"]) == ("Timeout", "INSTANCE_TIMEOUT", "")
    assert "within 60 s" in error["message"]
    assert desk.exceptions("")[0]["error_code"] == "INSTANCE_TIMEOUT"
    assert desk.rows.columns["needs_attention"] is True


def test_it_heeds_a_deadline_that_is_not_over_yet() -> None:
    desk = Desk({"a": {}}, timeout_seconds=60)
    desk.claim()
    desk.start()
    desk.pass_time(59)
    assert desk.logged("timeout") == []


def test_it_gives_up_retries_at_the_deadline_and_leaves_them_to_a_person() -> None:
    desk = Desk(
        {"a": {"retry": replace(AUTO, interval=1000)}, "b": FAIL | {"retry": replace(AUTO, interval=1000)}},
        timeout_seconds=60,
    )
    assert desk.play(a=BUSY, b=BUSY) is FAILED
    for task_id in "ab":
        assert desk.task_status(task_id) is TaskStatus.FAILED
        error = desk.rows.tasks[task_id].error
        assert error is not None
        assert (error.code, error.final) == ("HTTP_503", False)
        assert desk.exceptions(task_id)[0]["state"] == "open"
    assert desk.rows.columns["closed"] is False
    desk.act("retry", "a")  # b is still failed, and would fail the instance had it failed for good
    assert desk.play() is FAILED
    assert desk.rows.columns["needs_attention"] is True


def test_it_closes_at_the_deadline_under_fail() -> None:
    desk = Desk({"a": {"retry": replace(AUTO, interval=1000)}}, timeout_seconds=60, on_failure=OnFailure.FAIL)
    assert desk.play(a=BUSY) is FAILED
    assert desk.rows.columns["closed"] is True
    assert desk.task_status("a") is TaskStatus.CANCELLED


def test_it_goes_on_past_its_deadline_once_a_person_says_so() -> None:
    desk = Desk({"a": {}, "b": {"after": "a"}}, timeout_seconds=60)
    desk.claim()
    desk.start()
    desk.clock.advance(61)
    desk.pass_time(0)
    desk.end("a")
    verdict = desk.act("retry")
    assert verdict is not None
    assert verdict.done
    assert desk.rows.columns["deadline_at"] is None
    assert desk.exceptions("")[0]["state"] == "resolved"
    assert desk.play() is SUCCESS


def test_it_sorts_a_failure_for_expressions() -> None:
    failure = Failure(sort=Sort.REFUSED, type="E", code="C", message="m")
    assert failure.as_error(final=True) == {"type": "E", "code": "C", "message": "m", "final": True}
