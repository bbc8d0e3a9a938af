"""Whether an answer counts, and what the target says for itself."""

from __future__ import annotations

from typing import Any

import pytest

from execution.domain.outcome import Result
from execution.domain.states import TaskStatus
from tests.fakes.compiled import AUTO
from tests.unit.execution.desk import BUSY, NO, Desk
from tests.unit.execution.test_core_failing import FAILED, SUCCESS


@pytest.mark.parametrize(
    ("value", "status"), [({"code": 0}, TaskStatus.SUCCESS), ({"code": 5}, TaskStatus.FAILED), ({}, TaskStatus.FAILED)]
)
def test_it_asks_success_when(value: dict[str, Any], status: TaskStatus) -> None:
    desk = Desk({"a": {"success_when": lambda scope: scope["result"]["code"] == 0}})
    desk.play(a=Result(value=value))
    assert desk.task_status("a") is status
    assert desk.attempt("a").response == value


def test_it_takes_only_true_as_success() -> None:
    desk = Desk({"a": {"success_when": lambda _: "yes"}})
    assert desk.play() is FAILED


def test_it_says_why_an_answer_does_not_count() -> None:
    desk = Desk({"a": {"success_when": lambda _: False}})
    desk.play()
    error = desk.rows.tasks["a"].error
    assert error is not None
    assert (error.type, error.code) == ("AnswerError", "SUCCESS_WHEN_FALSE")
    assert "does not count as a success" in error.message


def test_it_tries_again_after_an_answer_that_does_not_count() -> None:
    desk = Desk({"a": {"success_when": lambda scope: scope["result"]["ok"], "retry": AUTO}})
    assert desk.play(a=[Result(value={"ok": False}), Result(value={"ok": True})]) is SUCCESS


def test_it_reads_the_target_s_own_code_and_message() -> None:
    spec = {
        "success_when": lambda _: False,
        "error_code": lambda scope: scope["result"]["code"],
        "error_message": lambda scope: scope["result"]["text"],
    }
    desk = Desk({"a": spec})
    desk.play(a=Result(value={"code": 1001, "text": "out of stock"}))
    error = desk.rows.tasks["a"].error
    assert error is not None
    assert (error.code, error.message) == ("1001", "out of stock")


@pytest.mark.parametrize("said", [{}, {"code": None}, {"code": {"a": 1}}, {"code": [1]}])
def test_it_falls_back_to_its_own_code_where_the_target_says_none(said: dict[str, Any]) -> None:
    desk = Desk({"a": {"success_when": lambda _: False, "error_code": lambda scope: scope["result"]["code"]}})
    desk.play(a=Result(value=said))
    error = desk.rows.tasks["a"].error
    assert error is not None
    assert error.code == "SUCCESS_WHEN_FALSE"


def test_it_reads_the_code_of_a_refusal_that_carries_an_answer() -> None:
    desk = Desk(
        {"a": {"error_code": lambda scope: f"C{scope['result']['code']}-{scope['input']['x']}", "input": {"x": 1}}}
    )
    desk.play(a=NO)
    error = desk.rows.tasks["a"].error
    assert error is not None
    assert (error.code, error.message) == ("C7-1", "never")


def test_it_reads_the_message_of_a_refusal_that_carries_an_answer() -> None:
    desk = Desk({"a": {"error_message": lambda scope: f"said {scope['result']['code']}"}})
    desk.play(a=NO)
    error = desk.rows.tasks["a"].error
    assert error is not None
    assert (error.code, error.message) == ("HTTP_400", "said 7")


def test_it_reads_nothing_from_a_failure_without_an_answer() -> None:
    desk = Desk({"a": {"error_code": lambda _: "READ"}})
    desk.play(a=BUSY)
    error = desk.rows.tasks["a"].error
    assert error is not None
    assert error.code == "HTTP_503"


def test_it_takes_unknown_when_for_an_unknown_outcome() -> None:
    spec = {"unknown_when": lambda scope: scope["result"]["state"] == "processing", "success_when": lambda _: True}
    desk = Desk({"a": {**spec, "retry": AUTO}})
    assert desk.play(a=[Result(value={"state": "processing"}), Result(value={"state": "paid"})]) is SUCCESS
    row = desk.attempt("a")
    assert row.status == "unknown"
    assert row.error is not None
    assert (row.error.type, row.error.code) == ("UnknownOutcome", "UNKNOWN_ANSWER")
    assert "does not know yet" in row.error.message


@pytest.mark.parametrize("field", ["unknown_when", "success_when", "output"])
def test_it_fails_a_task_whose_answer_cannot_be_judged(field: str) -> None:
    desk = Desk({"a": {field: lambda scope: scope["result"]["missing"]["deep"], "retry": AUTO}})
    assert desk.play(a=Result(value={"kept": 1})) is FAILED
    row = desk.attempt("a")
    assert row.error is not None
    assert row.error.type == "UnreadableAnswer"
    assert row.error.message.startswith(f"{field}: ")
    assert row.response == {"kept": 1}
    assert desk.rows.tasks["a"].attempt == 1


def test_it_renders_the_output_from_input_and_result() -> None:
    desk = Desk({"a": {"input": {"x": 1}, "output": lambda scope: [scope["input"]["x"], scope["result"]["ok"]]}})
    desk.play()
    assert desk.rows.tasks["a"].output == [1, True]
    assert desk.rows.tasks["a"].result == {"ok": True}
