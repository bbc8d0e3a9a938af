"""Nobody knows whether a call took effect: what `check` and `on_unknown` make of it (flow-definition 7)."""

from __future__ import annotations

from typing import Any

import pytest

from execution.domain.outcome import Outcome, Result
from execution.domain.states import InstanceStatus, TaskStatus
from flows.domain.compiled import OnFailure, OnUnknown, RetryPolicy
from tests.fakes.compiled import ASKED, AUTO, MANUAL, NEVER
from tests.unit.execution.desk import BUSY, LOST, NO, OK, Desk

SUCCESS, FAILED = InstanceStatus.SUCCESS, InstanceStatus.FAILED
DONE, NOT_DONE, PERHAPS = Result(value={"is": "yes", "id": 7}), Result(value={"is": "no"}), Result(value={"is": "?"})


def checked(policy: RetryPolicy = MANUAL, **more: Any) -> Desk:
    check = {
        "retry": ASKED,
        "success_when": lambda scope: scope["result"]["is"] == "yes",
        "failed_when": lambda scope: scope["result"]["is"] == "no",
    }
    options = {"check": check, "on_unknown": OnUnknown.CHECK, "retry": policy, **more}
    return Desk({"a": options, "b": {"after": ["a"], "input": {"got": lambda scope: scope["tasks"]["a"]["output"]}}})


def test_it_takes_the_answer_of_the_check_for_the_one_that_never_came() -> None:
    desk = checked()
    assert desk.play(a=LOST, **{"a.check": DONE}) is SUCCESS
    assert desk.rows.tasks["a"].result == DONE.value
    assert desk.attempt("b").request["input"] == {"got": DONE.value}
    assert desk.rows.tasks["a"].attempt == 1
    assert {row["state"] for row in desk.rows.exceptions.values()} == {"resolved"}


def test_it_publishes_the_output_from_the_answer_of_the_check() -> None:
    desk = checked(output=lambda scope: {"id": scope["result"]["id"]})
    desk.play(a=LOST, **{"a.check": DONE})
    assert desk.rows.tasks["a"].output == {"id": 7}


def test_it_needs_a_person_where_the_answer_of_the_check_has_no_output() -> None:
    desk = checked(output=lambda scope: {"id": scope["result"]["nowhere"]})
    assert desk.play(a=LOST, **{"a.check": DONE}) is FAILED
    error = desk.rows.tasks["a"].error
    assert error is not None
    assert error.type == "UnreadableAnswer"


def test_it_waits_before_it_asks() -> None:
    desk = checked()
    desk.claim()
    desk.start()
    desk.end("a", LOST)
    assert desk.task_status("a") is TaskStatus.UNKNOWN
    assert desk.rows.tasks["a.check"].next_at is not None
    assert [row["state"] for row in desk.exceptions("a")] == ["retrying"]
    assert desk.rows.wake_at == desk.rows.tasks["a.check"].next_at


def test_it_retries_what_had_no_effect_under_the_same_key() -> None:
    desk = checked(AUTO)
    assert desk.play(a=[LOST, OK], **{"a.check": NOT_DONE}) is SUCCESS
    assert [desk.attempt("a", number).key for number in (1, 2)] == ["order-1:a"] * 2


@pytest.mark.parametrize(
    ("policy", "on_failure", "final"), [(MANUAL, OnFailure.HOLD, True), (NEVER, OnFailure.FAIL, True)]
)
def test_what_had_no_effect_fails_by_its_own_rule(policy: RetryPolicy, on_failure: OnFailure, final: bool) -> None:
    desk = checked(policy, on_failure=on_failure)
    assert desk.play(a=LOST, **{"a.check": NOT_DONE}) is FAILED
    error = desk.rows.tasks["a"].error
    assert error is not None
    assert (error.type, error.code, error.final) == ("NotApplied", "TIMEOUT", final)


def test_it_asks_again_and_then_holds() -> None:
    desk = checked(NEVER, on_failure=OnFailure.FAIL)
    assert desk.play(a=LOST, **{"a.check": list[Outcome]([PERHAPS, BUSY, LOST, DONE])}) is FAILED
    assert desk.rows.columns["needs_attention"]
    assert desk.rows.tasks["a.check"].attempt == 3
    error = desk.rows.tasks["a"].error
    assert error is not None
    assert (error.type, error.code, error.final) == ("UnknownOutcome", "OUTCOME_UNKNOWN", False)
    assert [row["state"] for row in desk.exceptions("a")] == ["open"]


def test_a_person_may_have_it_asked_once_more() -> None:
    desk = checked()
    desk.play(a=LOST, **{"a.check": [PERHAPS, PERHAPS, PERHAPS]})
    verdict = desk.act("retry", "a.check")
    assert verdict is not None
    assert verdict.done, verdict
    assert desk.play(**{"a.check": DONE}) is SUCCESS


def test_a_person_may_have_it_asked_now() -> None:
    desk = checked()
    desk.claim()
    desk.start()
    desk.end("a", LOST)
    desk.act("retry", "a")
    desk.claim()
    assert desk.start() == ["a.check"]


@pytest.mark.parametrize("act", ["skip", "mark_success"])
def test_a_person_who_knows_ends_the_asking(act: str) -> None:
    desk = checked()
    desk.claim()
    desk.start()
    desk.end("a", LOST)
    desk.act(act, "a")
    assert desk.play() is SUCCESS
    assert ("a.check", 1) not in desk.rows.attempts


def test_an_answer_that_comes_after_the_person_changes_nothing() -> None:
    desk = checked()
    desk.claim()
    desk.start()
    desk.end("a", LOST)
    desk.act("retry", "a")
    desk.claim()
    desk.start("a.check")
    desk.act("mark_success", "a", output={"mine": 1})
    desk.end("a.check", NOT_DONE)
    assert desk.task_status("a") is TaskStatus.SUCCESS
    assert desk.rows.tasks["a"].result == {"mine": 1}


def test_a_person_may_say_that_it_had_no_effect() -> None:
    desk = checked()
    desk.claim()
    desk.start()
    desk.end("a", LOST)
    desk.act("retry", "a", outcome="not_applied", input={"x": 2})
    assert desk.play() is SUCCESS
    assert desk.attempt("a", 2).key == "order-1:a:r2"


def test_it_asks_on_after_its_worker_died() -> None:
    desk = checked()
    desk.claim()
    desk.start()
    desk.claim()  # the forward call is lost with its worker
    assert desk.task_status("a") is TaskStatus.UNKNOWN
    desk.clock.advance(10)
    desk.claim()
    assert desk.start() == ["a.check"]
    desk.claim()  # and so is the question
    assert desk.play(**{"a.check": DONE}) is SUCCESS


def test_hold_waits_for_a_person_at_once() -> None:
    desk = Desk({"a": {"on_unknown": OnUnknown.HOLD, "retry": AUTO}})
    assert desk.play(a=LOST) is FAILED
    assert desk.rows.tasks["a"].attempt == 1
    assert desk.rows.columns["needs_attention"]


def test_doubt_that_stays_holds_what_would_be_undone() -> None:
    check = {"retry": ASKED, "success_when": lambda scope: scope["result"]["is"] == "yes"}
    desk = Desk(
        {"a": {"check": check, "on_unknown": OnUnknown.CHECK, "undo": {}, "retry": NEVER}, "b": {"retry": NEVER}},
        on_failure=OnFailure.COMPENSATE,
    )
    assert desk.play(a=LOST, b=NO, **{"a.check": [PERHAPS, PERHAPS, PERHAPS]}) is FAILED
    desk.act("mark_success", "a")
    assert desk.play() is InstanceStatus.COMPENSATED
    assert desk.task_status("a") is TaskStatus.COMPENSATED
