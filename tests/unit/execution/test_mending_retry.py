"""Retry by a person: when, of what, with which input, under which key."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from execution.domain.states import TaskStatus
from execution.engine import core
from tests.fakes.compiled import AUTO, NEVER
from tests.unit.execution.desk import BUSY, LOST, NO, OK, Desk
from tests.unit.execution.test_mending import FAILED, SUCCESS, done, make, refused


def test_it_tries_again_at_once_with_fresh_retries() -> None:
    desk = Desk({"a": {"retry": AUTO}})
    desk.play(a=[BUSY] * 3)
    done(desk.act("retry", "a"))
    task = desk.rows.tasks["a"]
    assert (task.status, task.retries, task.run, task.first_failed_at) == (TaskStatus.RETRYING, 0, 1, None)
    assert task.next_at == desk.clock.now() == desk.rows.wake_at
    assert task.completed_at is None
    assert desk.exceptions("a")[0]["state"] == "retrying"
    log = desk.logged("retry_now")[0]
    assert (log.task_id, log.message, log.details) == ("a", "because", {"by": "li.wei", "run": 1})
    assert desk.play(a=[BUSY] * 3) is FAILED
    assert desk.rows.tasks["a"].attempt == 6
    assert {row.key for row in desk.rows.attempts.values()} == {"order-1:a"}


def test_it_cuts_a_back_off_short() -> None:
    desk = make("retrying")
    done(desk.act("retry", "a"))
    assert core.startable(desk.owned) == ["a"]
    assert core.next_tick(desk.owned) is None
    assert desk.exceptions("a")[0]["state"] == "retrying"


def test_it_tells_the_second_click_that_it_came_too_late() -> None:
    desk = Desk({"a": {}, "b": {}})
    desk.play(a=NO)
    done(desk.act("retry", "a"))
    assert refused(desk.act("retry", "a")) == "ALREADY_RETRYING"
    assert refused(desk.act("retry")) == "NOTHING_TO_RETRY"
    assert len(desk.logged("retry_now")) == 1


def test_it_tells_a_click_that_the_time_has_come_anyway() -> None:
    desk = make("retrying")
    desk.pass_time(60)
    assert refused(desk.act("retry", "a")) == "ALREADY_RETRYING"


def test_it_still_takes_another_input_before_the_attempt_has_left() -> None:
    desk = Desk({"a": {}, "b": {}})
    desk.play(a=NO)
    done(desk.act("retry", "a"))
    done(desk.act("retry", "a", input={"x": 1}))
    assert refused(desk.act("retry", "a", input={"x": 1})) == "ALREADY_RETRYING"
    desk.play()
    assert desk.rows.tasks["a"].input == {"x": 1}


def test_it_retries_everything_that_failed_or_waits() -> None:
    desk = Desk({"a": {}, "b": {"retry": AUTO}, "c": {}, "d": {"after": "a", "join": "any"}, "e": {"after": "c"}})
    desk.claim()
    desk.start()
    desk.end("a", NO)
    desk.end("b", BUSY)
    done(desk.act("retry"))
    assert {row.task_id for row in desk.logged("retry_now")} == {"a", "b", "d"}
    assert desk.play() is SUCCESS


def test_it_retries_an_instance_that_has_no_failed_task() -> None:
    values: dict[str, Any] = {}
    desk = Desk({"a": {}}, output={"x": lambda _: values["x"]})
    assert desk.play() is FAILED
    done(desk.act("retry"))
    assert desk.status() is FAILED  # the output still cannot be made
    assert desk.exceptions("")[0]["state"] == "open"
    values["x"] = 1
    done(desk.act("retry"))
    assert desk.status() is SUCCESS
    assert desk.exceptions("")[0]["state"] == "resolved"


def test_it_begins_a_new_run_with_a_changed_input() -> None:
    desk = Desk({"a": {"input": {"x": 1, "y": 1}, "config": {"url": "u", "method": "POST"}}})
    desk.play(a=NO)
    done(desk.act("retry", "a", input={"x": 2}, config={"url": "v"}))
    assert desk.logged("retry_now")[0].details == {"by": "li.wei", "run": 2, "changed": ["config", "input"]}
    assert [row["state"] for row in desk.exceptions("a")] == ["retrying"]
    desk.play()
    row = desk.attempt("a", 2)
    assert (row.run, row.key) == (2, "order-1:a:r2")
    assert row.request == {"config": {"url": "v", "method": "POST"}, "input": {"x": 2, "y": 1}}
    assert desk.exceptions("a")[0]["state"] == "resolved"


def test_it_keeps_the_first_change_when_a_second_one_is_made() -> None:
    desk = Desk({"a": {"input": {"x": 1, "y": 1}}})
    desk.play(a=NO)
    desk.act("retry", "a", input={"x": 2})
    desk.play(a=NO)
    desk.act("retry", "a", input={"y": 3}, config={"c": 1})
    desk.play(a=NO)
    assert desk.attempt("a", 3).request == {"config": {"c": 1}, "input": {"x": 2, "y": 3}}
    desk.act("retry", "a")
    desk.play(a=OK)
    assert desk.attempt("a", 4).key == "order-1:a:r3"  # no change, no new run


def test_it_puts_a_new_run_s_exception_in_place_of_the_old_one() -> None:
    desk = Desk({"a": {}})
    desk.play(a=NO)
    desk.act("retry", "a", input={"x": 1})
    desk.play(a=NO)
    assert sorted((row["run"], row["state"]) for row in desk.exceptions("a")) == [(1, "resolved"), (2, "open")]


@pytest.mark.parametrize("change", [{"input": {"x": 1}}, {"config": {"x": 1}}])
def test_it_refuses_a_change_while_nobody_knows_the_outcome(change: dict[str, Any]) -> None:
    desk = Desk({"a": {"retry": NEVER}})
    desk.play(a=LOST)
    assert refused(desk.act("retry", "a", **change)) == "OUTCOME_UNKNOWN"
    assert desk.task_status("a") is TaskStatus.FAILED
    done(desk.act("retry", "a", **change, outcome="not_applied"))
    assert desk.rows.tasks["a"].run == 2


def test_it_still_does_not_know_after_a_later_attempt_was_refused() -> None:
    """The first attempt may have taken effect, whatever the second was told; a new key would do it twice."""
    desk = Desk({"a": {"retry": AUTO}})
    desk.play(a=[LOST, NO])
    error = desk.rows.tasks["a"].error
    assert error is not None
    assert (error.type, error.code) == ("UnknownOutcome", "HTTP_400")
    assert [(row.error or error).type for row in desk.rows.attempts.values()] == ["UnknownOutcome", "HttpError"]
    assert refused(desk.act("retry", "a", input={"x": 1})) == "OUTCOME_UNKNOWN"
    done(desk.act("retry", "a", outcome="not_applied"))
    desk.play(a=NO)
    done(desk.act("retry", "a", input={"x": 1}))
    desk.play()
    assert desk.attempt("a", 4).key == "order-1:a:r2"
    assert {row["state"] for row in desk.exceptions("a")} == {"resolved"}


def test_it_asks_again_under_the_same_key_while_nobody_knows_the_outcome() -> None:
    desk = Desk({"a": {"retry": NEVER}})
    desk.play(a=LOST)
    done(desk.act("retry", "a"))
    desk.play()
    assert desk.attempt("a", 2).key == desk.attempt("a", 1).key


def test_it_looks_at_a_condition_anew_when_retried() -> None:
    values: dict[str, Any] = {}
    desk = Desk({"a": {"when": lambda _: values["on"]}})
    desk.play()
    values["on"] = True
    done(desk.act("retry", "a"))
    assert desk.logged("reset", "a")[0].details["by"] == "li.wei"
    assert desk.rows.tasks["a"].error is None
    assert desk.exceptions("a")[0]["state"] == "resolved"
    assert desk.play() is SUCCESS


def test_it_resets_a_join_when_what_it_waits_for_is_retried() -> None:
    desk = Desk({"a": {}, "b": {"when": lambda _: False}, "c": {"after": "ab", "join": "any"}})
    assert desk.play(a=NO) is FAILED
    done(desk.act("retry", "a"))
    assert desk.task_status("c") is TaskStatus.PENDING
    task = desk.rows.tasks["c"]
    assert (task.error, task.completed_at, task.first_failed_at) == (None, None, None)
    assert desk.exceptions("c")[0]["state"] == "resolved"
    assert desk.play(a=NO) is FAILED
    assert desk.exceptions("c")[0]["state"] == "open"
    done(desk.act("mark_success", "a"))
    assert desk.play() is SUCCESS


def test_it_leaves_a_task_alone_that_a_target_calls_unreachable() -> None:
    unreachable = replace(NO, code="JOIN_UNREACHABLE", type="JoinError")
    desk = Desk({"a": {}, "b": {"after": "a", "join": "any"}, "c": {}})
    desk.play(b=unreachable, c=NO)
    done(desk.act("skip", "c"))
    assert desk.play() is FAILED
    assert desk.task_status("b") is TaskStatus.FAILED


def test_it_takes_back_a_ready_task_whose_dependency_is_retried() -> None:
    desk = Desk({"a": {"optional": True}, "b": {"after": "a"}, "c": {}})
    desk.claim()
    desk.start("a", "c")
    desk.end("a", NO)
    assert core.startable(desk.owned) == ["b"]
    done(desk.act("retry", "a"))
    assert core.startable(desk.owned) == ["a"]
    desk.start()
    desk.end("a")
    assert core.startable(desk.owned) == ["b"]
