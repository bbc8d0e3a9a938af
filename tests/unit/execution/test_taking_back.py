"""A person has an instance undone, or runs it again from a task: what is done, what is refused, what is honoured."""

from __future__ import annotations

from typing import Any

import pytest

from execution.domain.states import InstanceStatus, TaskStatus
from execution.engine.state import Verdict
from tests.fakes.compiled import AUTO, MANUAL
from tests.unit.execution.desk import LOST, NO, OK, Desk

COMPENSATED, FAILED, SUCCESS = InstanceStatus.COMPENSATED, InstanceStatus.FAILED, InstanceStatus.SUCCESS


def held(**outcomes: Any) -> Desk:
    """a -> b -> c, of which c has failed and waits for a person."""
    desk = Desk(
        {
            "a": {"undo": {}},
            "b": {"after": ["a"], "undo": {}},
            "c": {"after": ["b"], "retry": MANUAL},
        }
    )
    assert desk.play(**{"c": NO, **outcomes}) is FAILED
    return desk


def told(verdict: Verdict | None) -> str:
    assert verdict is not None
    return "" if verdict.done else verdict.code


def test_it_undoes_all_of_it() -> None:
    desk = held()
    assert told(desk.act("compensate")) == ""
    assert desk.play() is COMPENSATED
    assert [row.task_id for row in desk.logged("compensated") if row.task_id] == ["b", "a"]
    assert {row["state"] for row in desk.rows.exceptions.values()} == {"resolved"}


def test_a_part_leaves_the_rest_to_the_person() -> None:
    desk = held()
    desk.act("compensate", tasks=["b"])
    assert desk.play() is FAILED
    assert desk.rows.columns["needs_attention"]
    assert [desk.task_status(name) for name in "ab"] == [TaskStatus.SUCCESS, TaskStatus.COMPENSATED]
    assert told(desk.act("compensate")) == ""
    assert desk.play() is COMPENSATED
    assert desk.rows.tasks["b.undo"].attempt == 1


def test_what_came_later_is_not_left_out() -> None:
    assert told(held().act("compensate", tasks=["a"])) == "UNDO_ORDER"


def test_what_was_undone_outside_is_taken_as_said() -> None:
    desk = held()
    assert told(desk.act("compensate", tasks=["a"], outside=["b"])) == ""
    assert desk.play() is COMPENSATED
    assert desk.task_status("b") is TaskStatus.COMPENSATED
    assert ("b.undo", 1) not in desk.rows.attempts


def test_what_waits_for_its_retry_may_be_undone_outside() -> None:
    desk = Desk({"a": {"undo": {}, "retry": AUTO}})
    desk.claim()
    desk.start()
    desk.end("a", LOST)
    assert desk.task_status("a") is TaskStatus.RETRYING
    assert told(desk.act("compensate", tasks=["a"], outside=["a"])) == ""
    assert desk.play() is COMPENSATED
    assert desk.task_status("a") is TaskStatus.COMPENSATED


def test_what_a_part_left_in_doubt_can_be_undone_later() -> None:
    """Seed 2096: cancelled with the rest, though an attempt may have taken effect."""
    desk = Desk({"a": {"undo": {}}, "b": {"undo": {}, "retry": AUTO}})
    desk.claim()
    desk.start()
    desk.end("a", OK)
    desk.end("b", LOST)
    assert told(desk.act("compensate", tasks=["a"])) == ""
    assert desk.play() is FAILED
    assert desk.task_status("b") is TaskStatus.CANCELLED
    assert told(desk.act("compensate")) == ""
    assert desk.play() is COMPENSATED
    assert desk.task_status("b") is TaskStatus.COMPENSATED


def test_the_input_of_an_undo_may_be_changed_beforehand() -> None:
    desk = held()
    desk.act("compensate", inputs={"b": {"amount": 3}})
    desk.play()
    assert desk.attempt("b.undo").request["input"] == {"amount": 3}
    assert desk.attempt("b.undo").key == "order-1:b:undo"


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        ({"tasks": ["zzz"]}, "UNKNOWN_TASK"),
        ({"tasks": []}, "NOTHING_TO_UNDO"),
        ({"tasks": ["c"]}, "NOT_UNDOABLE"),
        ({"inputs": {"c": {}}}, "NOT_UNDOABLE"),
    ],
)
def test_it_refuses_a_plan_that_cannot_be(payload: dict[str, Any], code: str) -> None:
    assert told(held().act("compensate", **payload)) == code


def test_it_refuses_where_nothing_can_be_undone() -> None:
    desk = Desk({"a": {}})
    desk.play(a=NO)
    assert told(desk.act("compensate")) == "NOTHING_TO_UNDO"
    assert told(Desk({"a": {"undo": {}}}).act("compensate")) == "NOT_COMPENSABLE"


def test_an_ended_instance_is_not_undone() -> None:
    desk = Desk({"a": {"undo": {}}})
    assert desk.play() is SUCCESS
    assert told(desk.act("compensate")) == "INSTANCE_ENDED"


def test_it_waits_for_calls_in_flight() -> None:
    desk = Desk({"a": {"undo": {}}, "b": {}})
    desk.claim()
    desk.start()
    desk.end("a")
    assert desk.act("compensate") is None
    desk.end("b")
    assert desk.status() is InstanceStatus.COMPENSATING
    assert desk.play() is COMPENSATED


def test_a_skipped_undo_stays_skipped() -> None:
    desk = held()
    desk.act("compensate", tasks=["b"])
    desk.act("skip", "b.undo")
    assert desk.play() is FAILED
    assert told(desk.act("compensate", tasks=["b"])) == "NOT_UNDOABLE"
    assert told(desk.act("compensate")) == ""
    assert desk.play() is COMPENSATED
    assert desk.task_status("b") is TaskStatus.SUCCESS


def test_the_forward_task_is_left_alone_while_it_is_undone() -> None:
    desk = held()
    desk.act("compensate")
    assert told(desk.act("retry", "c")) == "COMPENSATING"
    assert told(desk.act("rerun", "a")) == "COMPENSATING"
    assert told(desk.act("retry", "a.undo")) == "NOT_RETRYABLE"


def test_an_undo_that_is_not_wanted_takes_no_act() -> None:
    assert told(held().act("retry", "a.undo")) == "NOT_BEING_UNDONE"


def test_it_runs_again_from_a_task_with_new_keys() -> None:
    desk = held()
    assert told(desk.act("rerun", "b")) == ""
    assert desk.play() is SUCCESS
    assert desk.rows.tasks["a"].attempt == 1
    assert (desk.attempt("b", 2).key, desk.attempt("c", 2).key) == ("order-1:b:r2", "order-1:c:r2")


def test_it_runs_again_what_was_undone() -> None:
    desk = held()
    desk.act("compensate", tasks=["b"])
    desk.play()
    assert told(desk.act("rerun", "b")) == ""
    assert desk.play() is SUCCESS
    assert desk.attempt("b", 2).key == "order-1:b:r2"


def test_a_second_run_is_undone_under_its_own_key() -> None:
    desk = held()
    desk.act("rerun", "b")
    desk.play(c=NO)
    desk.act("compensate")
    desk.play()
    assert desk.attempt("b.undo").key == "order-1:b:r2:undo"


def test_a_mark_or_a_skip_is_honoured_by_a_run_from_before_it() -> None:
    desk = Desk({"a": {}, "b": {"after": ["a"]}, "c": {"after": ["a"]}, "d": {"after": ["b", "c"]}})
    desk.play(b=NO, c=NO)
    desk.act("mark_success", "b", output={"mine": 1})
    desk.act("skip", "c")
    desk.play(d=NO)
    desk.act("rerun", "a")
    assert desk.play() is SUCCESS
    assert (desk.rows.tasks["b"].result, desk.task_status("c")) == ({"mine": 1}, TaskStatus.SKIPPED)
    assert desk.rows.tasks["d"].attempt == 2


def test_it_does_not_run_again_what_nobody_knows_about() -> None:
    desk = held(c=[LOST, NO])
    assert told(desk.act("rerun", "b")) == "OUTCOME_UNKNOWN"


def test_it_does_not_run_again_what_is_under_way() -> None:
    desk = Desk({"a": {}, "b": {"after": ["a"]}})
    desk.claim()
    desk.start()
    desk.end("a", OK)
    desk.start()
    assert told(desk.act("rerun", "a")) == "TASK_RUNNING"
    assert told(desk.act("rerun", "b")) == "NOT_RERUNNABLE"


def test_it_takes_a_changed_input_along() -> None:
    desk = held()
    desk.act("rerun", "b", input={"x": 2})
    desk.play()
    assert desk.attempt("b", 2).request["input"] == {"x": 2}
