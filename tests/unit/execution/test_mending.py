"""Retry, skip and mark-success of tasks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from execution.domain.outcome import Outcome, Result
from execution.domain.states import InstanceStatus, TaskStatus
from execution.engine import core
from execution.engine.state import Verdict
from flows.domain.compiled import OnFailure
from tests.fakes.compiled import AUTO
from tests.unit.execution.desk import BUSY, NO, OK, Desk

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
