"""Retry, skip and mark-success of tasks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from execution.domain.outcome import Outcome, Result
from execution.domain.states import InstanceStatus, TaskStatus
from execution.engine import core
from execution.engine.state import Verdict
from flows.domain.compiled import OnFailure
from tests.fakes.compiled import AUTO, NEVER
from tests.unit.execution.desk import BUSY, LOST, NO, OK, Desk

SUCCESS, FAILED, RUNNING = InstanceStatus.SUCCESS, InstanceStatus.FAILED, InstanceStatus.RUNNING
FAIL = {"on_failure": OnFailure.FAIL}


def done(verdict: Verdict | None) -> Verdict:
    assert verdict is not None
    assert verdict.done, verdict
    return verdict


def refused(verdict: Verdict | None) -> str:
    assert verdict is not None
    assert not verdict.done
    return verdict.code


def make(status: str) -> Desk:
    """An instance that is open and whose task a has that status; b keeps it so."""
    desk = Desk({"a": {"retry": AUTO}, "b": {}, "c": {"after": "b"}})
    if status == "pending":
        desk = Desk({"b": {}, "a": {"after": "b"}})
    desk.claim()
    desk.start(*(["b"] if status == "pending" else ["a", "b"]))
    outcomes: dict[str, Outcome] = {"success": OK, "retrying": BUSY, "failed": NO}
    outcome = outcomes.get(status)
    if outcome is not None:
        desk.end("a", outcome)
    if status == "skipped":
        desk.end("a", NO)
        desk.act("skip", "a")
    assert desk.task_status("a") == status
    return desk


TASK_CASES = {
    "pending": {"retry": "NOT_RETRYABLE"},
    "running": {"retry": "NOT_RETRYABLE", "skip": "WRONG_STATE", "mark_success": "WRONG_STATE"},
    "success": {"retry": "NOT_RETRYABLE", "skip": "WRONG_STATE", "mark_success": "WRONG_STATE"},
    "skipped": {"retry": "NOT_RETRYABLE", "skip": "WRONG_STATE", "mark_success": "WRONG_STATE"},
    "retrying": {},
    "failed": {},
}
RESULT = {"retry": "retrying", "skip": "skipped", "mark_success": "success"}


@pytest.mark.parametrize("act", list(RESULT))
@pytest.mark.parametrize("status", list(TASK_CASES))
def test_it_mends_a_task_or_says_why_not(status: str, act: str) -> None:
    desk = make(status)
    verdict = desk.act(act, "a")
    code = TASK_CASES[status].get(act, "")
    assert verdict is not None
    assert (verdict.done, verdict.code) == (not code, code)
    assert desk.task_status("a") == (status if code else RESULT[act])
    if code:
        assert "task a is" in verdict.message


@pytest.mark.parametrize("act", list(RESULT))
def test_it_refuses_a_task_that_the_flow_does_not_have(act: str) -> None:
    assert refused(make("failed").act(act, "nobody")) == "UNKNOWN_TASK"


@pytest.mark.parametrize("act", list(RESULT))
def test_it_goes_on_after_a_person_has_dealt_with_the_failure(act: str) -> None:
    desk = Desk({"a": {}, "b": {"after": "a"}})
    assert desk.play(a=NO) is FAILED
    done(desk.act(act, "a"))
    assert desk.status() is RUNNING
    assert desk.rows.columns["needs_attention"] is False
    assert desk.rows.columns["error"] is None
    assert desk.play() is SUCCESS
    assert desk.exceptions("a")[0]["state"] == "resolved"


def test_it_tells_before_and_after_of_the_task() -> None:
    desk = Desk({"a": {"input": {"x": 1}}, "b": {}})
    desk.play(a=NO)
    verdict = done(desk.act("retry", "a", input={"x": 2}))
    assert verdict.before["task"] == {"status": "failed", "run": 1, "input": {"x": 1}}
    assert verdict.after["task"] == {"status": "retrying", "run": 2, "input": None, "override": {"input": {"x": 2}}}
    pending = Desk({"a": {}, "b": {"after": "a"}})
    assert done(pending.act("skip", "b")).before["task"] == {"status": "pending"}


# Retry


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


# What stops the rest


def is_stopped(desk: Desk) -> bool:
    return not desk.owned.may_start


@pytest.mark.parametrize("act", list(RESULT))
def test_it_takes_back_the_stop_of_the_failure_it_mends(act: str) -> None:
    desk = Desk({"a": FAIL, "b": {}, "c": {"after": "b"}})
    desk.claim()
    desk.start()
    desk.end("a", NO)
    assert is_stopped(desk)
    done(desk.act(act, "a"))
    assert not is_stopped(desk)
    desk.end("b")
    assert desk.play() is SUCCESS


def test_it_stays_stopped_by_another_failure() -> None:
    desk = Desk({"a": FAIL, "b": FAIL, "c": {}})
    desk.claim()
    desk.start()
    desk.end("a", NO)
    desk.end("b", NO)
    done(desk.act("skip", "a"))
    assert is_stopped(desk)
    desk.end("c")
    assert desk.rows.columns["error"]["task_id"] == "b"


def test_it_takes_back_the_stop_of_a_deadline_that_has_passed() -> None:
    desk = Desk({"a": {}, "b": {"after": "a"}}, timeout_seconds=60)
    desk.claim()
    desk.start()
    desk.pass_time(61)
    assert is_stopped(desk)
    done(desk.act("skip", "b"))
    assert desk.rows.columns["deadline_at"] is None
    desk.end("a")
    assert desk.status() is SUCCESS


def test_it_keeps_a_deadline_that_is_still_ahead() -> None:
    desk = Desk({"a": {}}, timeout_seconds=60)
    desk.play(a=NO)
    desk.act("retry", "a")
    assert desk.rows.columns["deadline_at"] is not None


# Skip and mark-success


@pytest.mark.parametrize("act", ["skip", "mark_success"])
@pytest.mark.parametrize("join", ["all", "any", 1])
def test_it_counts_a_person_s_word_for_every_join(act: str, join: Any) -> None:
    desk = Desk({"a": {}, "b": {"after": "a", "join": join}})
    desk.play(a=NO)
    done(desk.act(act, "a"))
    assert desk.play() is SUCCESS
    assert desk.task_status("b") is TaskStatus.SUCCESS


def test_it_hands_a_marked_output_to_what_follows() -> None:
    desk = Desk(
        {"a": {"output": {"x": 0}}, "b": {"after": "a", "input": {"x": lambda s: s["tasks"]["a"]["output"]["x"]}}}
    )
    desk.play(a=NO)
    done(desk.act("mark_success", "a", output={"x": 5}))
    desk.play()
    assert desk.rows.tasks["b"].input == {"x": 5}
    assert desk.rows.tasks["a"].result == {"x": 5}
    log = desk.logged("mark_success")[0]
    assert (log.message, log.details["by"]) == ("because", "li.wei")


def test_it_gives_an_empty_output_where_none_is_said() -> None:
    desk = Desk({"a": {}})
    desk.play(a=NO)
    done(desk.act("mark_success", "a"))
    assert desk.rows.tasks["a"].result == {}
    assert desk.status() is SUCCESS


def test_it_remembers_that_a_person_skipped() -> None:
    desk = Desk({"a": {}})
    desk.play(a=NO)
    done(desk.act("skip", "a"))
    task = desk.rows.tasks["a"]
    assert (task.skip_reason, task.error, task.completed_at) == ("operator", None, desk.clock.now())
    log = desk.logged("skip")[0]
    assert (log.message, log.details["by"], log.details["reason"]) == ("because", "li.wei", "operator")


def test_it_skips_a_task_before_its_turn() -> None:
    desk = Desk({"a": {}, "b": {"after": "a"}, "c": {"after": "b"}})
    done(desk.act("skip", "b"))
    assert desk.status() is InstanceStatus.PENDING
    assert desk.rows.wake_at == desk.clock.now()
    desk.claim()
    assert set(core.startable(desk.owned)) == {"a", "c"}
    assert desk.play() is SUCCESS
    assert ("b", 1) not in desk.rows.attempts


@pytest.mark.parametrize("act", ["skip", "mark_success"])
def test_it_mends_while_paused_and_goes_on_when_resumed(act: str) -> None:
    desk = Desk({"a": {}, "b": {"after": "a"}})
    desk.claim()
    desk.start()
    desk.act("pause")
    desk.end("a", NO)
    done(desk.act(act, "a"))
    assert desk.status() is InstanceStatus.PAUSED
    done(desk.act("resume"))
    assert desk.play() is SUCCESS


def test_it_retries_while_paused_and_goes_on_when_resumed() -> None:
    desk = Desk({"a": {}})
    desk.claim()
    desk.start()
    desk.act("pause")
    desk.end("a", NO)
    done(desk.act("retry"))
    assert desk.rows.wake_at is None
    done(desk.act("resume"))
    assert desk.play(a=Result(value={})) is SUCCESS


@pytest.mark.parametrize("act", [lambda desk: desk.act("retry", "a"), lambda desk: desk.act("retry")])
def test_it_is_due_at_once_after_a_retry(act: Callable[[Desk], Verdict | None]) -> None:
    desk = Desk({"a": {}})
    desk.play(a=NO)
    assert desk.rows.wake_at is None
    done(act(desk))
    assert desk.rows.wake_at == desk.clock.now()
