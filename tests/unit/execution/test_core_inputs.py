"""What a task sends: its input, its config, its key."""

from __future__ import annotations

from typing import Any

import pytest

from execution.domain.outcome import Result
from flows.domain.compiled import InputField
from tests.fakes.compiled import AUTO, Says
from tests.unit.execution.desk import BUSY, NO, OK, Desk
from tests.unit.execution.test_core_running import FAILED, SUCCESS


def test_it_binds_the_input_from_everything_in_order() -> None:
    fields = tuple(InputField(name=name, type="*", default="default", has_default=True) for name in "abcde")
    spec = {
        "task_name": "deduct",
        "fields": fields,
        "input_from": {"d": Says(lambda scope: scope["params"]["deduct"]["b"])},
        "input": {"e": lambda scope: scope["task"]["attempt"]},
    }
    desk = Desk({"t": spec}, params={"deduct": {"b": 2, "c": 2}, "t": {"c": 3}})
    desk.play()
    assert desk.rows.tasks["t"].input == {"a": "default", "b": 2, "c": 3, "d": 2, "e": 1}


def test_it_shows_expressions_what_the_language_promises() -> None:
    seen: list[dict[str, Any]] = []

    def look(scope: dict[str, Any]) -> str:
        seen.append({**scope, "tasks": {name: dict(inner) for name, inner in scope["tasks"].items()}})
        return "x"

    desk = Desk(
        {"a": {"input": {"q": 1}, "output": {"y": 2}}, "b": {"after": "a", "input": {"v": look}, "config": look}},
        params={"p": 1},
    )
    desk.claim()
    desk.owned.tags = {"order": "17"}
    desk.start()
    desk.end("a", Result(value={"raw": 1}))
    desk.start()
    scope = seen[0]
    assert scope["params"] == {"p": 1}
    assert scope["tasks"]["a"] == {"status": "success", "input": {"q": 1}, "result": {"raw": 1}, "output": {"y": 2}}
    assert scope["task"] == {"id": "b", "attempt": 1}
    assert scope["instance"] == {
        "id": "order-1",
        "flow": "flow",
        "version": 1,
        "created_at": "2026-01-01T00:00:00Z",
        "scheduled_at": "2026-01-01T00:00:00Z",
        "tags": {"order": "17"},
    }
    assert "input" not in scope
    assert seen[1]["input"] == {"v": "x"}


def test_it_fails_at_once_when_an_input_cannot_be_made() -> None:
    desk = Desk({"a": {"input": {"x": lambda scope: scope["params"]["missing"]}, "retry": AUTO}})
    assert desk.play() is FAILED
    assert desk.attempt("a").status == "failed"
    assert desk.attempt("a").key == ""
    assert desk.attempt("a").request is None
    error = desk.attempt("a").error
    assert error is not None
    assert (error.type, error.code) == ("ExpressionError", "NO_SUCH_PATH")
    assert error.message.startswith("input: ")
    assert desk.rows.tasks["a"].attempt == 1


def test_it_names_every_problem_of_an_input_that_does_not_fit() -> None:
    field = InputField(name="amount", type="int", required=True)
    desk = Desk({"a": {"fields": (field,), "input": {"amount": "abc"}}})
    assert desk.play() is FAILED
    row = desk.attempt("a")
    assert row.error is not None
    assert (row.error.type, row.error.code) == ("InputError", "INPUT_INVALID")
    assert row.response["problems"][0]["loc"] == ["amount"]


def test_it_sends_the_same_input_under_the_same_key_at_every_attempt() -> None:
    desk = Desk({"a": {"retry": AUTO, "input": {"n": lambda scope: scope["task"]["attempt"]}}})
    desk.play(a=[BUSY, BUSY, OK])
    first, second, third = (desk.attempt("a", number) for number in (1, 2, 3))
    assert first.key == second.key == third.key == "order-1:a"
    assert first.request == second.request == third.request


def test_it_sends_the_key_its_author_chose() -> None:
    desk = Desk({"a": {"idempotency_key": lambda scope: f"pay-{scope['params']['order']}"}}, params={"order": 17})
    desk.play()
    assert desk.attempt("a").key == "pay-17"


@pytest.mark.parametrize("key", ["", 17, None, "x" * 256])
def test_it_refuses_a_key_that_is_none(key: Any) -> None:
    desk = Desk({"a": {"idempotency_key": key}})
    assert desk.play() is FAILED
    error = desk.attempt("a").error
    assert error is not None
    assert "1 to 255 characters" in error.message
    assert desk.attempt("a").key == ""


def test_it_takes_the_longest_key() -> None:
    desk = Desk({"a": {"idempotency_key": "x" * 255}})
    assert desk.play() is SUCCESS


def test_it_leaves_room_for_the_run_in_a_key() -> None:
    desk = Desk({"a": {"idempotency_key": "x" * 253}})
    assert desk.play(a=NO) is FAILED
    desk.act("retry", "a", input={"x": 1})
    assert desk.play() is FAILED  # with `:r2` it would be 256 characters
    assert "1 to 255 characters" in (desk.attempt("a", 2).error or NO).message
