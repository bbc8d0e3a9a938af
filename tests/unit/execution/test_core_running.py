"""An instance that runs: starts, joins, conditions, inputs, keys, what it publishes."""

from __future__ import annotations

import random
from typing import Any

from disttask_project.kernel.json import digest
from execution.domain.outcome import Result
from execution.domain.states import InstanceStatus, TaskStatus
from execution.engine import core
from execution.engine.events import Claimed, Ended, Start
from execution.engine.state import InstanceState
from flows.domain.compiled import CompiledFlow, OnFailure
from retries.port import RetryPort
from tests.fakes.clock import START
from tests.fakes.compiled import AUTO, make_task
from tests.unit.execution.desk import BUSY, NO, OK, Desk

SUCCESS, FAILED = InstanceStatus.SUCCESS, InstanceStatus.FAILED
DIAMOND: dict[str, dict[str, Any]] = {"a": {}, "b": {"after": "a"}, "c": {"after": "a"}, "d": {"after": "bc"}}


def test_it_runs_a_diamond_in_order() -> None:
    desk = Desk(DIAMOND)
    desk.claim()
    assert desk.status() is InstanceStatus.RUNNING
    assert desk.rows.columns["started_at"] == desk.clock.now()
    assert desk.start() == ["a"]
    desk.end("a")
    assert desk.start() == ["b", "c"]
    desk.end("c")
    assert core.startable(desk.owned) == []
    desk.end("b")
    assert desk.start() == ["d"]
    desk.end("d")
    assert desk.status() is SUCCESS
    assert desk.rows.columns["closed"] is True
    assert desk.rows.columns["completed_at"] == desk.clock.now()
    assert desk.rows.wake_at is None
    actions = [row.action for row in desk.rows.logs]
    assert actions == [
        "start",
        "start",
        "success",
        "start",
        "start",
        "success",
        "success",
        "start",
        "success",
        "complete",
    ]


def test_it_writes_the_attempt_before_the_call_leaves() -> None:
    desk = Desk({"a": {"config": {"url": "u"}, "input": {"x": 1}}})
    desk.claim()
    effects = desk.step(Start(task_ids=["a"], worker="w7"))
    assert effects.unit is not None
    row = effects.unit.attempts["a", 1]
    assert (row.status, row.is_start, row.worker, row.fence) == ("started", True, "w7", desk.rows.fence)
    assert row.request == {"config": {"url": "u"}, "input": {"x": 1}}
    assert row.request_digest == digest(row.request)
    (call,) = effects.calls
    assert (call.task_id, call.type, call.attempt, call.run, call.key) == ("a", "noop", 1, 1, "order-1:a")
    assert (call.config, call.input, call.timeout_seconds) == ({"url": "u"}, {"x": 1}, 30.0)
    assert row.key == call.key
    assert effects.unit.flow is desk.flow


def test_it_records_the_end_of_an_attempt() -> None:
    desk = Desk({"a": {}, "b": {"after": "a"}})
    desk.claim()
    desk.start()
    desk.clock.advance(3)
    desk.end("a", Result(value={"n": 1}))
    row = desk.attempt("a")
    assert (row.status, row.response, row.ended_at, row.duration_ms) == ("success", {"n": 1}, desk.clock.now(), 5)
    assert row.request is not None
    task = desk.rows.tasks["a"]
    assert (task.result, task.output, task.completed_at) == ({"n": 1}, None, desk.clock.now())
    assert task.started_at == row.started_at


def test_it_keeps_max_parallel_and_starts_the_oldest_first() -> None:
    desk = Desk({name: {} for name in "abcd"}, max_parallel=2)
    desk.claim()
    assert desk.start() == ["a", "b"]
    assert core.startable(desk.owned) == []
    desk.end("b")
    assert desk.start() == ["c"]


def test_it_starts_only_those_that_got_a_slot() -> None:
    desk = Desk({"a": {}, "b": {}})
    desk.claim()
    assert desk.start("b") == ["b"]
    assert core.startable(desk.owned) == ["a"]
    assert not core.is_idle(desk.owned)


def test_it_ignores_a_start_of_what_is_not_ready() -> None:
    desk = Desk(DIAMOND)
    desk.claim()
    assert desk.start("d") == []
    assert desk.last.unit is None


def test_it_ignores_an_answer_that_is_not_the_open_attempt_s() -> None:
    desk = Desk({"a": {}, "b": {}})
    desk.claim()
    desk.start("a")
    rev = desk.owned.rev
    for task_id, attempt in (("a", 2), ("b", 1), ("nobody", 1)):
        assert desk.step(Ended(task_id=task_id, attempt=attempt, outcome=OK, duration_ms=1)).unit is None
    assert desk.owned.rev == rev


def test_it_skips_a_task_whose_condition_is_false_and_runs_its_dependents() -> None:
    desk = Desk(
        {"a": {"when": lambda _: False}, "b": {"after": "a", "when": lambda scope: scope["tasks"]["a"]["output"] == {}}}
    )
    assert desk.play() is SUCCESS
    assert desk.task_status("a") is TaskStatus.SKIPPED
    assert desk.rows.tasks["a"].skip_reason == "condition"
    assert desk.task_status("b") is TaskStatus.SUCCESS


def test_it_takes_only_true_for_true() -> None:
    desk = Desk({"a": {"when": lambda _: 1}})
    assert desk.play() is SUCCESS
    assert desk.task_status("a") is TaskStatus.SKIPPED


def test_it_fails_a_task_whose_condition_cannot_be_evaluated() -> None:
    desk = Desk({"a": {"when": lambda scope: scope["params"]["missing"]}})
    assert desk.play() is FAILED
    error = desk.rows.tasks["a"].error
    assert error is not None
    assert (error.type, error.code, error.final) == ("ExpressionError", "NO_SUCH_PATH", True)
    assert error.message.startswith("when: ")
    assert desk.rows.tasks["a"].attempt == 0
    assert desk.exceptions("a")[0]["state"] == "open"


def test_it_skips_a_branch_that_can_no_longer_be_reached() -> None:
    no = {"when": lambda _: False}
    desk = Desk({"a": no, "b": no, "c": {"after": "ab", "join": "any"}, "d": {"after": "c"}, "e": {"after": "da"}})
    assert desk.play() is SUCCESS
    assert [desk.rows.tasks[task_id].skip_reason for task_id in "cd"] == ["branch", "branch"]
    assert desk.task_status("e") is TaskStatus.SUCCESS  # not all of its dependencies are branch-skipped


def test_it_fails_a_join_that_a_failure_put_out_of_reach() -> None:
    desk = Desk({"a": {}, "b": {"when": lambda _: False}, "c": {"after": "ab", "join": 1}})
    assert desk.play(a=NO) is FAILED
    error = desk.rows.tasks["c"].error
    assert error is not None
    assert (error.type, error.code) == ("JoinError", "JOIN_UNREACHABLE")
    assert desk.exceptions("c")[0]["state"] == "open"


def test_it_starts_an_any_join_at_the_first_success() -> None:
    desk = Desk({"a": {}, "b": {}, "c": {"after": "ab", "join": "any"}})
    desk.claim()
    desk.start()
    desk.end("b")
    assert core.startable(desk.owned) == ["c"]


def test_it_runs_dependents_of_an_optional_task_that_failed() -> None:
    desk = Desk(
        {
            "a": {"optional": True, "on_failure": OnFailure.FAIL},
            "b": {"after": "a", "input": {"why": lambda scope: scope["tasks"]["a"]["error"]["code"]}},
        }
    )
    assert desk.play(a=NO) is SUCCESS
    assert desk.task_status("a") is TaskStatus.FAILED
    assert desk.rows.tasks["b"].input == {"why": "HTTP_400"}


def test_it_publishes_the_flow_s_output() -> None:
    desk = Desk(
        {"a": {"output": {"no": 7}}},
        output={
            "order": lambda scope: scope["tasks"]["a"]["output"]["no"],
            "id": lambda scope: scope["instance"]["id"],
        },
    )
    desk.play()
    assert desk.rows.columns["output"] == {"order": 7, "id": "order-1"}


def test_it_publishes_nothing_without_an_output() -> None:
    desk = Desk({"a": {}})
    desk.play()
    assert desk.rows.columns["output"] is None


def test_it_holds_when_its_output_cannot_be_made() -> None:
    desk = Desk({"a": {}}, output={"x": lambda scope: scope["tasks"]["b"]["output"]})
    assert desk.play() is FAILED
    error = desk.rows.columns["error"]
    assert (error["type"], error["code"], error["task_id"]) == ("ExpressionError", "OUTPUT_INVALID", "")
    assert error["message"].startswith("output: no such path")
    assert desk.rows.columns["needs_attention"] is True
    assert desk.exceptions("")[0]["state"] == "open"


def test_it_gives_the_row_back_until_something_is_due() -> None:
    desk = Desk({"a": {"retry": AUTO}})
    desk.claim()
    desk.start()
    desk.end("a", BUSY)
    assert desk.state is None
    assert desk.rows.wake_at == desk.rows.tasks["a"].next_at
    assert desk.rows.tasks["a"].next_at is not None
    assert desk.rows.tasks["a"].next_at > desk.clock.now()


def test_it_writes_nothing_when_nothing_changes() -> None:
    desk = Desk({"a": {}, "b": {}})
    desk.claim()
    desk.start("a")
    assert desk.pass_time(1).unit is None


def test_it_runs_a_chain_of_ten_thousand_skips_without_recursion() -> None:
    tasks: dict[str, dict[str, Any]] = {"t0": {"when": lambda _: False}}
    for number in range(1, 10_000):
        tasks[f"t{number}"] = {"after": [f"t{number - 1}"], "join": "any"}
    assert claim_unchecked(tasks).status is SUCCESS


def claim_unchecked(tasks: dict[str, dict[str, Any]]) -> InstanceState:
    """One claim of a flow so long that checking it would take longer than running it."""
    made = {task_id: make_task(task_id, **options) for task_id, options in tasks.items()}
    names = list(made)
    dependents = {name: tuple(names[place : place + 1]) for place, name in enumerate(names, 1)}
    flow = CompiledFlow(name="long", tasks=made, dependents=dependents)
    state = core.load_state(
        flow=flow,
        tasks={},
        id="i",
        flow_id="f",
        version_number=1,
        status=InstanceStatus.PENDING,
        params={},
        created_at=START,
    )
    core.step(state, Claimed(), now=START, rng=random.Random(1), port=RetryPort())
    return state
