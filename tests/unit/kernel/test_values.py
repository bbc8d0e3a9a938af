"""Ids, messages, actors, errors and clocks."""

from __future__ import annotations

import pickle
from datetime import UTC

import pytest

from disttask_project.kernel.actor import Actor, system_actor
from disttask_project.kernel.clock import SystemClock
from disttask_project.kernel.errors import Conflict, Forbidden, InvalidInput, Malformed, Problem, TooMany
from disttask_project.kernel.ids import INSTANCE_ID, derived_id, new_id
from disttask_project.kernel.messages import text


def test_new_ids_are_uuids_of_version_seven_and_never_the_same() -> None:
    ids = [new_id() for _ in range(1000)]
    assert len(set(ids)) == 1000
    assert all(len(made) == 36 and made[14] == "7" and made[19] in "89ab" for made in ids)


def test_later_ids_sort_later(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    for second in (1, 2, 1_800_000_000):
        monkeypatch.setattr("time.time_ns", lambda second=second: second * 1_000_000_000)
        made.append(new_id())
    assert made == sorted(made)


def test_derived_ids_depend_on_every_part() -> None:
    assert derived_id("a", "b") == derived_id("a", "b")
    assert len({derived_id("a", "b"), derived_id("ab"), derived_id("b", "a"), derived_id("a", "b", "")}) == 4


@pytest.mark.parametrize(
    ("instance_id", "good"),
    [
        ("ORDER-1", True),
        ("a" * 64, True),
        ("u@x.y_z+=-", True),
        ("", False),
        ("a" * 65, False),
        ("a b", False),
        ("a/b", False),
        ("a\n", False),
        ("é", False),
    ],
)
def test_it_knows_an_instance_id(instance_id: str, good: bool) -> None:
    assert bool(INSTANCE_ID.fullmatch(instance_id)) is good


def test_a_message_is_its_text_and_remembers_its_template() -> None:
    message = text("{name} is {count}", name="x", count=2)
    assert message == "x is 2"
    assert (message.template, message.values) == ("{name} is {count}", {"name": "x", "count": 2})
    assert pickle.loads(pickle.dumps(message)).template == message.template


def test_a_message_without_values_keeps_its_braces() -> None:
    assert text("write ${secret:NAME}") == "write ${secret:NAME}"


def test_an_actor_may_what_its_rights_say() -> None:
    actor = Actor(name="li.wei", source="rest", may=lambda permission: permission == "flows.view_flow")
    actor.require("flows.view_flow")
    with pytest.raises(Forbidden, match=r"li\.wei may not do this: the permission flows\.edit_flow is missing"):
        actor.require("flows.edit_flow")
    system_actor().require("anything")
    with pytest.raises(Forbidden, match="Sign in first"):
        Actor(name="", source="rest").require("flows.view_flow")


def test_an_error_carries_its_symbol_and_problems() -> None:
    problem = Problem(loc=("tasks", 0), code="unknown", message="no such task")
    error = InvalidInput("wrong", problems=[problem], symbol="BAD_FLOW")
    assert (str(error), error.symbol, error.problems) == ("wrong", "BAD_FLOW", (problem,))
    assert problem.as_dict() == {"loc": ["tasks", 0], "code": "unknown", "message": "no such task"}
    assert [Conflict("x").symbol, Malformed("x").symbol] == ["CONFLICT", "MALFORMED"]
    assert TooMany("x", retry_after=2.5).retry_after == 2.5


def test_the_system_s_clock_is_aware_and_never_steps_back() -> None:
    clock = SystemClock()
    assert clock.now().tzinfo is UTC
    first = clock.monotonic()
    assert clock.monotonic() >= first
