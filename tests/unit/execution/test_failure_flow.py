"""The failure flow is asked for once, in the step that ends the instance (flow-definition 1)."""

from __future__ import annotations

from typing import Any

import pytest

from execution.domain.states import InstanceStatus
from flows.domain.compiled import FailureFlow, OnFailure
from tests.fakes.compiled import NEVER, Gives
from tests.unit.execution.desk import NO, Desk

NEXT = FailureFlow(flow="call-for-help", params={"why": Gives(lambda scope: scope["error"]["code"])})


def saga(on_failure: OnFailure, follow: FailureFlow = NEXT, **options: Any) -> Desk:
    tasks: dict[str, dict[str, Any]] = {
        "a": {"undo": {}, "retry": NEVER},
        "b": {"after": ["a"], "retry": NEVER, **options},
    }
    return Desk(tasks, on_failure=on_failure, failure_flow=follow)


@pytest.mark.parametrize("on_failure", [OnFailure.FAIL, OnFailure.COMPENSATE])
def test_it_is_asked_for_when_nothing_more_will_come_of_the_instance(on_failure: OnFailure) -> None:
    desk = saga(on_failure)
    desk.play(b=NO)
    asked = desk.rows.failure_start
    assert asked is not None
    assert asked["flow_name"] == "call-for-help"
    assert asked["child_id"] == "order-1.failure"
    assert asked["params"] == {"why": "HTTP_400"}
    assert asked["state"] == "due"
    assert desk.rows.logs[-1].action == "failure_flow"
    assert desk.rows.logs[-1].details == {"flow": "call-for-help", "instance_id": "order-1.failure"}


def test_a_held_instance_asks_once_a_person_has_closed_it() -> None:
    desk = saga(OnFailure.HOLD)
    assert desk.play(b=NO) is InstanceStatus.FAILED
    assert desk.logged("failure_flow") == []
    desk.act("close", reason="lost")
    desk.act("close", reason="again")  # refused, and nothing is asked twice
    assert len(desk.logged("failure_flow")) == 1


def test_success_and_cancelling_ask_for_nothing() -> None:
    desk = saga(OnFailure.FAIL)
    desk.play()
    assert desk.rows.failure_start is None
    desk = saga(OnFailure.HOLD)
    desk.play(b=NO)
    desk.act("cancel", reason="customer left")
    assert desk.rows.failure_start is None


def test_parameters_that_cannot_be_made_are_told() -> None:
    broken = FailureFlow(flow="call-for-help", params={"why": Gives(lambda scope: scope["tasks"]["b"]["output"])})
    desk = saga(OnFailure.FAIL, broken)
    desk.play(b=NO)
    asked = desk.rows.failure_start
    assert asked is not None
    assert asked["params"] is None
    assert asked["code"] == "NO_SUCH_PATH"
