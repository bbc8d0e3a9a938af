"""Joins: the counters against the words of flow-definition section 3, counted anew."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations_with_replacement
from typing import Literal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from execution.domain.planner import Counts, Decision, Mark, decide, mark_of, new_plan
from execution.domain.states import SkipReason, TaskStatus
from flows.domain.compiled import CompiledFlow
from tests.fakes.compiled import make_flow
from tests.simulation.history import may_start
from tests.unit.execution.strategies import flows

STANDS = {
    Mark.OPEN: ("running", "", False),
    Mark.SUCCESS: ("success", "", False),
    Mark.SKIPPED: ("skipped", "condition", False),
    Mark.BRANCH: ("skipped", "branch", False),
    Mark.TOLERATED: ("failed", "", True),
    Mark.FAILED: ("failed", "", False),
}
WORDS = {
    "run": Decision.RUN,
    "wait": Decision.WAIT,
    "branch": Decision.SKIP_BRANCH,
    "unreachable": Decision.UNREACHABLE,
}
JOINS: tuple[Literal["all", "any"] | int, ...] = ("all", "any", 1, 2, 3, 4)


def counts_of(marks: tuple[Mark, ...]) -> Counts:
    counts = Counts(len(marks))
    for mark in marks:
        counts.move(Mark.OPEN, mark)
    return counts


# A number above that of the dependencies is refused at save.
CASES = [(join, many) for join in JOINS for many in range(5) if not isinstance(join, int) or many == 0 or join <= many]


@pytest.mark.parametrize(("join", "many"), CASES)
def test_it_decides_as_the_language_says(join: Literal["all", "any"] | int, many: int) -> None:
    for marks in combinations_with_replacement(Mark, many):
        expected = WORDS[may_start(join, [STANDS[mark] for mark in marks])]
        assert decide(join, counts_of(marks)) is expected, (join, marks)


@pytest.mark.parametrize(
    ("join", "marks", "decision"),
    [
        ("all", (), Decision.RUN),
        ("all", (Mark.SUCCESS, Mark.OPEN), Decision.WAIT),
        ("all", (Mark.SUCCESS, Mark.SKIPPED, Mark.BRANCH, Mark.TOLERATED), Decision.RUN),
        ("all", (Mark.SUCCESS, Mark.FAILED), Decision.WAIT),
        ("all", (Mark.BRANCH, Mark.BRANCH), Decision.SKIP_BRANCH),
        ("all", (Mark.BRANCH, Mark.SKIPPED), Decision.RUN),
        ("any", (Mark.OPEN, Mark.SUCCESS), Decision.RUN),
        ("any", (Mark.OPEN, Mark.SKIPPED), Decision.WAIT),
        ("any", (Mark.SKIPPED, Mark.BRANCH), Decision.SKIP_BRANCH),
        ("any", (Mark.SKIPPED, Mark.FAILED), Decision.UNREACHABLE),
        ("any", (Mark.SKIPPED, Mark.TOLERATED), Decision.UNREACHABLE),
        (2, (Mark.SUCCESS, Mark.OPEN, Mark.FAILED), Decision.WAIT),
        (2, (Mark.SUCCESS, Mark.SUCCESS, Mark.FAILED), Decision.RUN),
        (2, (Mark.SUCCESS, Mark.SKIPPED, Mark.FAILED), Decision.UNREACHABLE),
        (2, (Mark.OPEN, Mark.SKIPPED, Mark.BRANCH), Decision.SKIP_BRANCH),
    ],
)
def test_it_decides_these_by_hand(
    join: Literal["all", "any"] | int, marks: tuple[Mark, ...], decision: Decision
) -> None:
    assert decide(join, counts_of(marks)) is decision


@pytest.mark.parametrize("optional", [False, True])
@pytest.mark.parametrize("status", TaskStatus)
def test_it_marks_a_task_for_its_dependents(status: TaskStatus, optional: bool) -> None:
    gone = Mark.TOLERATED if optional else Mark.FAILED
    expected = {TaskStatus.SUCCESS: Mark.SUCCESS, TaskStatus.FAILED: gone, TaskStatus.CANCELLED: gone}
    if status is TaskStatus.SKIPPED:
        return
    assert mark_of(status, skip_reason="", optional=optional) is expected.get(status, Mark.OPEN)


@pytest.mark.parametrize(
    ("reason", "mark"),
    [
        (SkipReason.CONDITION, Mark.SKIPPED),
        (SkipReason.BRANCH, Mark.BRANCH),
        (SkipReason.OPERATOR, Mark.SUCCESS),  # a person's word counts for every join
    ],
)
def test_it_marks_a_skipped_task_by_its_reason(reason: SkipReason, mark: Mark) -> None:
    assert mark_of(TaskStatus.SKIPPED, skip_reason=reason, optional=False) is mark


def test_it_tells_whom_an_ending_concerns() -> None:
    plan = new_plan(make_flow({"a": {}, "b": {"after": "a"}, "c": {"after": "a"}}), {})
    assert list(plan.set_mark("a", Mark.SUCCESS)) == ["b", "c"]
    assert list(plan.set_mark("a", Mark.SUCCESS)) == []
    assert list(plan.set_mark("b", Mark.SUCCESS)) == []
    assert plan.decision("b") is Decision.RUN


def test_it_takes_a_task_that_nobody_names_for_one_without_dependents() -> None:
    plan = new_plan(replace(make_flow({"a": {}}), dependents={}), {})
    assert list(plan.set_mark("a", Mark.SUCCESS)) == []


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(flow=flows(), data=st.data())
def test_it_counts_the_same_step_by_step_as_anew(flow: CompiledFlow, data: st.DataObject) -> None:
    plan = new_plan(flow, {})
    for _ in range(data.draw(st.integers(1, 12))):
        plan.set_mark(data.draw(st.sampled_from(sorted(flow.tasks))), data.draw(st.sampled_from(Mark)))
    anew = new_plan(flow, plan.marks)
    assert (plan.counts, plan.marks, plan.open, plan.failed) == (anew.counts, anew.marks, anew.open, anew.failed)
    assert plan.open == sum(mark is Mark.OPEN for mark in plan.marks.values())
    assert plan.failed == sum(mark is Mark.FAILED for mark in plan.marks.values())
