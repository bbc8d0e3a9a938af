"""How a task is undone and checked: what may be said, what is refused, what is pinned."""

from __future__ import annotations

from typing import Any

import pytest

from flows.domain.compiled import Kind, OnUnknown, RetryPolicy, Strategy
from flows.domain.errands import errand_id, kind_of, task_of
from tests.unit.flows.builders import compiled, flow, found, messages, task, warned

UNDO: dict[str, Any] = {"task_name": "noop"}
CHECK: dict[str, Any] = {"task_name": "noop", "success_when": "result.done"}
HERE = ("tasks", 0)


def test_a_flow_may_compensate() -> None:
    undone = compiled(flow(task(compensate=UNDO), on_failure="compensate")).tasks["a"]
    assert undone.on_failure == "compensate"
    assert undone.retry.strategy is Strategy.NO_RETRY
    assert undone.undo is not None
    assert (undone.undo.id, undone.undo.kind, undone.undo.of) == ("a.undo", Kind.UNDO, "a")
    assert undone.undo.retry.strategy is Strategy.AUTO
    assert undone.undo.inherits_input


def test_an_undo_may_say_all_of_its_own() -> None:
    document = task(
        compensate={
            **UNDO,
            "config": {"x": 1},
            "input": {"id": "${tasks.a.output.id}", "why": "${error.message}"},
            "success_when": "result.code == 0",
            "retry": {"strategy": "manual"},
            "timeout_seconds": 3,
        }
    )
    undo = compiled(flow(document)).tasks["a"].undo
    assert undo is not None
    assert (undo.timeout_seconds, undo.retry.strategy, undo.inherits_input) == (3, Strategy.MANUAL, False)
    assert undo.config.source == {"x": 1}


def test_a_check_is_asked_at_a_fixed_pace() -> None:
    checked = compiled(flow(task(check={**CHECK, "interval": 7, "max_attempts": 2}))).tasks["a"]
    assert checked.on_unknown is OnUnknown.CHECK
    assert checked.check is not None
    policy = checked.check.retry
    assert isinstance(policy, RetryPolicy)
    assert (policy.interval, policy.max_attempts, policy.backoff_rate) == (7, 2, 1.0)


@pytest.mark.parametrize(
    ("more", "expected"),
    [({}, OnUnknown.RETRY), ({"on_unknown": "hold"}, OnUnknown.HOLD), ({"check": CHECK}, OnUnknown.CHECK),
     ({"check": CHECK, "on_unknown": "retry"}, OnUnknown.RETRY)],
)  # fmt: skip
def test_it_asks_where_there_is_a_check_and_retries_elsewhere(more: dict[str, Any], expected: OnUnknown) -> None:
    assert compiled(flow(task(**more))).tasks["a"].on_unknown is expected


@pytest.mark.parametrize(
    ("more", "loc", "code"),
    [
        ({"compensate": {}}, ("compensate", "task_name"), "required"),
        ({"compensate": {"task_name": "nop"}}, ("compensate", "task_name"), "unknown_task_name"),
        ({"compensate": {**UNDO, "inputs": {}}}, ("compensate", "inputs"), "unknown_key"),
        ({"compensate": {"task_name": "http"}}, ("compensate", "config", "url"), "required"),
        ({"compensate": {**UNDO, "input": {"x": "${tasks.b.output}"}}}, ("compensate", "input", "x"), "unknown_task"),
        ({"compensate": {**UNDO, "success_when": "1"}}, ("compensate", "success_when"), "not_boolean"),
        ({"check": {"task_name": "noop"}}, ("check",), "required"),
        ({"check": {**CHECK, "max_attempts": 0}}, ("check", "max_attempts"), "bad_value"),
        ({"check": {**CHECK, "input": {"x": "${error.code}"}}}, ("check", "input", "x"), "unknown_root"),
        ({"on_unknown": "check"}, ("on_unknown",), "no_check"),
        ({"on_unknown": "ask"}, ("on_unknown",), "bad_value"),
        ({"input": {"x": "${error.code}"}}, ("input", "x"), "unknown_root"),
    ],
)
def test_it_refuses(more: dict[str, Any], loc: tuple[str, ...], code: str) -> None:
    assert found(flow(task(**more))) == [((*HERE, *loc), code)]


def test_an_undo_may_not_take_longer_than_the_engine_allows() -> None:
    document = flow(task(compensate={**UNDO, "timeout_seconds": 99}))
    assert found(document, max_task_timeout=60) == [((*HERE, "compensate", "timeout_seconds"), "timeout_too_long")]


def test_it_names_the_key_that_was_meant() -> None:
    assert "did you mean config" in messages(flow(task(compensate={**UNDO, "confg": {}})))[0]


def test_it_warns_of_a_flow_that_undoes_nothing() -> None:
    assert warned(flow(on_failure="compensate")) == [(("on_failure",), "nothing_to_undo")]
    assert warned(flow(task(on_failure="compensate"))) == [((*HERE, "on_failure"), "nothing_to_undo")]
    assert warned(flow(task(compensate=UNDO), on_failure="compensate")) == []


def test_it_warns_of_an_undo_whose_target_cannot_know_a_repeat() -> None:
    assert warned(flow(task(compensate={"task_name": "mq"}))) == [((*HERE, "compensate", "retry"), "not_idempotent")]


@pytest.mark.parametrize("kind", Kind)
def test_an_id_tells_what_it_stands_for(kind: Kind) -> None:
    made = "a" if kind is Kind.FORWARD else errand_id("a", kind)
    assert (kind_of(made), task_of(made)) == (kind, "a")
