"""What failed for good is undone: order, attempts, people, crashes (flow-definition 6)."""

from __future__ import annotations

from typing import Any

import pytest

from execution.domain.outcome import Result
from execution.domain.states import InstanceStatus, TaskStatus
from flows.domain.compiled import OnFailure
from tests.fakes.compiled import ASKED, AUTO, NEVER
from tests.unit.execution.desk import BUSY, LOST, NO, OK, Desk

COMPENSATING, COMPENSATED, FAILED = InstanceStatus.COMPENSATING, InstanceStatus.COMPENSATED, InstanceStatus.FAILED
SUCCESS = InstanceStatus.SUCCESS
SUBMITTED = Result(value={"id": 7})


def chain(**more: Any) -> dict[str, dict[str, Any]]:
    """a -> b -> c; c has nothing to undo."""
    return {
        "a": {"undo": {}, "retry": NEVER},
        "b": {"after": ["a"], "undo": {}, "retry": NEVER},
        "c": {"after": ["b"], "retry": NEVER, **more},
    }


def saga(tasks: dict[str, dict[str, Any]] | None = None, **options: Any) -> Desk:
    return Desk(tasks or chain(), on_failure=OnFailure.COMPENSATE, **options)


def undone_in_order(desk: Desk) -> list[str]:
    return [row.task_id for row in desk.logged("compensated") if row.task_id]


def test_it_undoes_what_was_done_in_reverse_order() -> None:
    desk = saga()
    assert desk.play(c=NO) is COMPENSATED
    assert undone_in_order(desk) == ["b", "a"]
    assert [desk.task_status(name) for name in "abc"] == [TaskStatus.COMPENSATED, TaskStatus.COMPENSATED, "failed"]
    assert desk.rows.columns["closed"]
    assert desk.rows.columns["completed_at"] is not None
    assert desk.rows.columns["error"]["code"] == "HTTP_400"


def test_it_closes_the_exceptions_of_what_is_undone() -> None:
    desk = saga()
    desk.play(c=NO)
    assert {row["state"] for row in desk.rows.exceptions.values()} == {"resolved"}


def test_it_undoes_branches_in_parallel() -> None:
    tasks: dict[str, dict[str, Any]] = {
        "a": {"undo": {}},
        "left": {"after": ["a"], "undo": {}},
        "right": {"after": ["a"], "undo": {}},
        "end": {"after": ["left", "right"], "retry": NEVER},
    }
    desk = saga(tasks)
    desk.claim()
    for name in ("a", "left", "right"):
        desk.start()
        desk.end(name)
    desk.start()
    desk.end("end", NO)
    assert sorted(desk.start()) == ["left.undo", "right.undo"]
    desk.end("left.undo")
    assert desk.start() == []
    desk.end("right.undo")
    assert desk.start() == ["a.undo"]


def test_it_waits_through_a_task_that_has_nothing_to_undo() -> None:
    tasks: dict[str, dict[str, Any]] = {
        "a": {"undo": {}},
        "plain": {"after": ["a"]},
        "b": {"after": ["plain"], "undo": {}},
        "c": {"after": ["b"], "retry": NEVER},
    }
    desk = saga(tasks)
    desk.play(c=NO)
    assert undone_in_order(desk) == ["b", "a"]
    assert desk.task_status("plain") is TaskStatus.SUCCESS


def test_it_sends_the_undo_under_its_own_key_with_the_input_of_its_task() -> None:
    tasks = chain()
    tasks["a"] |= {"input": {"amount": 5}, "config": {"x": 1}}
    tasks["b"]["undo"] = {
        "input": {"id": lambda scope: scope["tasks"]["b"]["output"]["id"], "why": lambda scope: scope["error"]["code"]}
    }
    desk = saga(tasks)
    desk.play(b=SUBMITTED, c=NO)
    first, second = desk.attempt("a.undo"), desk.attempt("b.undo")
    assert (first.key, first.request["input"]) == ("order-1:a:undo", {"amount": 5})
    assert second.request["input"] == {"id": 7, "why": "HTTP_400"}


def test_it_tells_the_executor_what_is_undone() -> None:
    tasks: dict[str, dict[str, Any]] = {
        "a": {"undo": {}, "config": {"table": "x"}, "type": "db"},
        "b": {"after": ["a"], "retry": NEVER},
    }
    desk = saga(tasks)
    desk.claim()
    desk.start()
    desk.end("a")
    desk.start()
    desk.end("b", NO)
    desk.start()
    undoes = desk.calls["a.undo"].undoes
    assert undoes is not None
    assert (undoes.task_id, undoes.type, undoes.key, undoes.run, undoes.config) == (
        *("a", "db", "order-1:a", 1),
        {"table": "x"},
    )


def test_it_retries_an_undo_with_the_same_key() -> None:
    desk = saga()
    assert desk.play(c=NO, **{"b.undo": [BUSY, LOST]}) is COMPENSATED
    keys = [desk.attempt("b.undo", number).key for number in (1, 2, 3)]
    assert keys == ["order-1:b:undo"] * 3
    assert undone_in_order(desk) == ["b", "a"]


def test_it_needs_a_person_when_an_undo_fails_for_good() -> None:
    desk = saga()
    assert desk.play(c=NO, **{"b.undo": NO}) is COMPENSATING
    assert desk.rows.columns["needs_attention"]
    assert desk.rows.wake_at is None
    assert desk.task_status("a") is TaskStatus.COMPENSATING
    assert [row["state"] for row in desk.exceptions("b.undo")] == ["open"]


@pytest.mark.parametrize("act", ["retry", "skip", "mark_success"])
def test_a_person_gets_a_stuck_undo_going(act: str) -> None:
    desk = saga()
    desk.play(c=NO, **{"b.undo": NO})
    verdict = desk.act(act, "b.undo")
    assert verdict is not None
    assert verdict.done, verdict
    assert desk.play() is COMPENSATED
    assert desk.task_status("b") is (TaskStatus.SUCCESS if act == "skip" else TaskStatus.COMPENSATED)
    assert desk.task_status("a") is TaskStatus.COMPENSATED


def test_a_changed_undo_goes_out_under_a_new_key() -> None:
    desk = saga()
    desk.play(c=NO, **{"b.undo": NO})
    desk.act("retry", "b.undo", input={"amount": 1})
    desk.play()
    again = desk.attempt("b.undo", 2)
    assert (again.key, again.request["input"]) == ("order-1:b:undo:r2", {"amount": 1})


def test_it_goes_on_undoing_after_its_worker_died() -> None:
    desk = saga()
    desk.claim()
    for name in ("a", "b"):
        desk.start()
        desk.end(name)
    desk.start()
    desk.end("c", NO)
    desk.start()
    assert set(desk.calls) == {"b.undo"}
    desk.claim()
    assert desk.attempt("b.undo").status == "unknown"
    assert desk.play() is COMPENSATED
    assert desk.attempt("b.undo", 2).key == "order-1:b:undo"


def test_it_lets_calls_in_flight_end_before_it_undoes_them_too() -> None:
    desk = saga({"a": {"undo": {}}, "b": {"retry": NEVER}})
    desk.claim()
    desk.start()
    desk.end("b", NO)
    assert desk.start() == []
    desk.end("a")
    assert desk.start() == ["a.undo"]


def test_it_undoes_what_nobody_knows_to_have_happened() -> None:
    desk = saga({"a": {"undo": {}, "retry": NEVER}, "b": {"undo": {}, "retry": NEVER}})
    assert desk.play(a=LOST) is COMPENSATED
    assert set(undone_in_order(desk)) == {"a", "b"}


def test_it_leaves_alone_what_was_refused_for_good() -> None:
    desk = saga({"a": {"undo": {}, "retry": NEVER}})
    assert desk.play(a=NO) is COMPENSATED
    assert ("a.undo", 1) not in desk.rows.attempts


def test_it_asks_first_what_an_unknown_call_did() -> None:
    tasks: dict[str, dict[str, Any]] = {
        "a": {
            "undo": {},
            "retry": AUTO,
            "check": {"retry": ASKED, "failed_when": lambda scope: scope["result"].get("id") is None},
        },
        "b": {"retry": NEVER},
    }
    desk = saga(tasks)
    desk.claim()
    desk.start()
    desk.end("a", LOST)
    desk.end("b", NO)
    assert desk.status() is InstanceStatus.RUNNING
    desk.play(**{"a.check": OK})
    assert desk.status() is COMPENSATED
    assert ("a.undo", 1) not in desk.rows.attempts


def test_a_step_past_the_point_of_no_return_holds() -> None:
    desk = saga(chain(on_failure=OnFailure.HOLD))
    assert desk.play(c=NO) is FAILED
    assert desk.rows.columns["needs_attention"]


def test_a_timeout_undoes_what_was_done() -> None:
    desk = saga({"a": {"undo": {}}, "b": {"after": ["a"], "retry": AUTO}}, timeout_seconds=12)
    assert desk.play(b=[BUSY, BUSY, BUSY]) is COMPENSATED
    assert desk.rows.columns["error"]["code"] == "INSTANCE_TIMEOUT"
    assert {row["state"] for row in desk.rows.exceptions.values()} == {"resolved"}


def test_it_pauses_and_resumes_in_the_middle() -> None:
    desk = saga()
    desk.claim()
    for name in ("a", "b"):
        desk.start()
        desk.end(name)
    desk.start()
    desk.end("c", NO)
    desk.start()
    assert desk.act("pause") is None
    desk.end("b.undo")
    assert desk.status() is InstanceStatus.PAUSED
    desk.act("resume")
    assert desk.play() is COMPENSATED


@pytest.mark.parametrize(("act", "task_id"), [("retry", "c"), ("skip", "c"), ("mark_success", "c"), ("rerun", "a")])
def test_the_forward_task_is_left_alone_while_the_undo_is_paused(act: str, task_id: str) -> None:
    desk = saga()
    desk.play(c=NO, **{"b.undo": NO})
    desk.act("pause")
    verdict = desk.act(act, task_id)
    assert verdict is not None
    assert verdict.code == "COMPENSATING"
    assert desk.task_status("c") is TaskStatus.FAILED


def test_a_retry_of_all_while_the_undo_is_paused_retries_the_undos() -> None:
    desk = saga()
    desk.play(c=NO, **{"b.undo": NO})
    desk.act("pause")
    desk.act("retry")
    assert desk.task_status("c") is TaskStatus.FAILED
    desk.act("resume")
    assert desk.play() is COMPENSATED


def test_it_is_not_cancelled_while_it_is_undone() -> None:
    desk = saga()
    desk.play(c=NO, **{"b.undo": NO})
    for act, code in (("cancel", "COMPENSATING"), ("compensate", "COMPENSATING"), ("close", "NOT_FAILED")):
        verdict = desk.act(act)
        assert verdict is not None
        assert verdict.code == code


def test_poison_parks_the_undo_and_a_retry_goes_on() -> None:
    desk = saga()
    desk.play(c=NO, **{"b.undo": [BUSY]})
    desk = saga()
    desk.claim()
    for name in ("a", "b"):
        desk.start()
        desk.end(name)
    desk.start()
    desk.end("c", NO)
    desk.claim(strikes=3)
    assert desk.rows.is_at_rest
    assert desk.status() is COMPENSATING
    desk.act("retry")
    assert desk.play() is COMPENSATED
