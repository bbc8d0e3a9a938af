"""Workers that die, hang or stop: unknown outcomes, strikes, parking, giving up."""

from __future__ import annotations

from dataclasses import replace

import pytest

from execution.domain.states import InstanceStatus, TaskStatus
from execution.engine import core
from execution.engine.events import Claimed
from flows.domain.compiled import OnFailure, RetryPolicy
from tests.fakes.compiled import AUTO, MANUAL, NEVER
from tests.unit.execution.desk import BUSY, NO, OK, Desk

FAILED = InstanceStatus.FAILED


def lose(desk: Desk) -> None:
    """The worker dies with a call in flight; another claims."""
    desk.claim()
    desk.start()
    desk.claim(strikes=1)


@pytest.mark.parametrize("policy", [AUTO, MANUAL])
def test_it_spends_an_attempt_on_a_lost_lease(policy: RetryPolicy) -> None:
    desk = Desk({"a": {"retry": policy}})
    lose(desk)
    row = desk.attempt("a")
    assert row.status == "unknown"
    assert row.error is not None
    assert (row.error.type, row.error.code) == ("UnknownOutcome", "LEASE_LOST")
    assert row.ended_at == desk.clock.now()
    task = desk.rows.tasks["a"]
    assert (task.status, task.attempt, task.retries) == (TaskStatus.RETRYING, 1, 1)
    assert desk.play() is InstanceStatus.SUCCESS
    assert desk.attempt("a", 2).key == row.key


def test_it_does_not_try_again_after_a_lost_lease_under_no_retry() -> None:
    desk = Desk({"a": {"retry": NEVER}})
    lose(desk)
    assert desk.status() is FAILED
    assert desk.rows.tasks["a"].attempt == 1


def test_it_counts_crashes_against_the_limit() -> None:
    desk = Desk({"a": {"retry": AUTO}})
    for _ in range(3):
        desk.claim()
        desk.start()
        desk.claim(strikes=1)  # each worker dies with the call in flight
        desk.clock.advance(60)
    assert desk.status() is FAILED
    assert desk.rows.tasks["a"].attempt == 3


def test_it_keeps_what_the_lost_attempt_had_sent() -> None:
    desk = Desk({"a": {"retry": AUTO, "input": {"x": 1}}})
    lose(desk)
    row = desk.attempt("a")
    assert row.worker == "worker-1"
    assert row.request == {"config": {}, "input": {"x": 1}}
    assert row.fence < desk.rows.fence


def test_it_ends_an_attempt_whose_task_has_moved_on() -> None:
    desk = Desk({"a": {"retry": AUTO}, "b": {"retry": AUTO}})
    desk.claim()
    desk.start("a")
    orphan = replace(desk.attempt("a"), task_id="b", number=7)
    state = desk.rows.load()
    effects = core.step(
        state, Claimed(open_attempts=[desk.attempt("a"), orphan]), now=desk.clock.now(), rng=desk.rng, port=desk.port
    )
    assert effects.unit is not None
    statuses = {key: (row.status, row.is_start, row.ended_at) for key, row in effects.unit.attempts.items()}
    assert statuses == {key: ("unknown", False, desk.clock.now()) for key in (("a", 1), ("b", 7))}


def test_it_ends_a_running_task_whose_attempt_row_is_missing() -> None:
    desk = Desk({"a": {"retry": AUTO}})
    desk.claim()
    desk.start()
    state = desk.rows.load()
    effects = core.step(state, Claimed(), now=desk.clock.now(), rng=desk.rng, port=desk.port)
    assert effects.unit is not None
    assert effects.unit.attempts["a", 1].status == "unknown"
    assert state.tasks["a"].status is TaskStatus.RETRYING
    assert state.in_flight == 0


@pytest.mark.parametrize(("strikes", "parked"), [(1, False), (2, False), (3, True), (4, True)])
def test_it_parks_at_the_third_strike(strikes: int, parked: bool) -> None:
    desk = Desk({"a": {"retry": AUTO}})
    desk.claim(strikes=strikes)
    assert (desk.status() is FAILED) == parked


def test_it_says_why_it_was_parked() -> None:
    desk = Desk({"a": {"retry": AUTO}, "b": {}})
    desk.claim()
    desk.start("a")
    desk.claim(strikes=3)
    error = desk.rows.columns["error"]
    assert (error["type"], error["code"], error["task_id"]) == ("EngineError", "POISON", "")
    assert "3 times" in error["message"]
    assert desk.rows.columns["needs_attention"] is True
    assert desk.exceptions("")[0]["error_code"] == "POISON"
    assert desk.task_status("a") is TaskStatus.FAILED
    assert desk.rows.tasks["a"].next_at is None


def test_it_takes_up_a_poisoned_instance_again_when_a_person_retries() -> None:
    desk = Desk({"a": {"retry": AUTO}})
    desk.claim()
    desk.start()
    desk.claim(strikes=3)
    desk.act("retry")
    assert desk.rows.columns["strikes"] == 0
    assert desk.play() is InstanceStatus.SUCCESS
    assert [row["state"] for row in desk.rows.exceptions.values()] == ["resolved", "resolved"]


@pytest.mark.parametrize("act", ["retry", "skip", "mark_success"])
def test_it_refuses_what_was_asked_before_it_was_parked(act: str) -> None:
    """Else the parking would be undone before it is committed, and the next worker killed."""
    desk = Desk({"a": {"retry": AUTO}})
    asked = desk.make_act(act, "a")
    desk.rows.inbox += 1
    desk.claim()
    desk.start()
    desk.rows.columns["strikes"] = 3
    desk.rows.fence += 1
    desk.state = None
    desk.take_up([asked])
    assert desk.status() is FAILED
    verdict = desk.rows.verdicts[asked.action_id]
    assert (verdict.done, verdict.code) == (False, "PARKED")


def test_it_lets_a_parked_instance_be_cancelled_by_what_was_asked_before() -> None:
    desk = Desk({"a": {"retry": AUTO}})
    asked = desk.make_act("cancel")
    desk.claim()
    desk.start()
    desk.rows.columns["strikes"] = 3
    desk.state = None
    desk.take_up([asked])
    assert desk.status() is InstanceStatus.CANCELLED


def test_it_forgets_strikes_once_an_outcome_is_recorded() -> None:
    desk = Desk({"a": {}, "b": {"after": "a"}})
    desk.claim(strikes=2)
    desk.start()
    assert desk.rows.columns["strikes"] == 2
    desk.end("a", NO)
    assert desk.rows.columns["strikes"] == 0


def test_it_parks_before_it_ever_ran() -> None:
    desk = Desk({"a": {}})
    desk.park("UNLOADABLE")
    assert desk.status() is FAILED
    assert desk.rows.columns["error"]["code"] == "UNLOADABLE"
    assert desk.rows.columns["started_at"] == desk.clock.now()
    assert desk.rows.wake_at is None


def test_it_parks_with_its_open_attempts_unknown() -> None:
    desk = Desk({"a": {"retry": AUTO, "on_failure": OnFailure.FAIL}, "b": {"retry": AUTO}})
    desk.claim()
    desk.start()
    desk.end("b", BUSY)
    desk.park()
    assert desk.attempt("a").status == "unknown"
    assert {desk.task_status(task_id) for task_id in "ab"} == {TaskStatus.FAILED}
    assert desk.rows.columns["closed"] is False
    assert desk.rows.columns["error"]["message"] == "the row was refused"


def test_it_leaves_an_ended_instance_as_it_is_when_told_to_park() -> None:
    desk = Desk({"a": {}})
    desk.play()
    desk.park()
    assert desk.status() is InstanceStatus.SUCCESS
    assert desk.rows.wake_at is None


def test_it_gives_up_calls_when_the_worker_stops() -> None:
    desk = Desk({"a": {"retry": AUTO}, "b": {}, "c": {}})
    desk.claim()
    desk.start("a", "b")
    desk.end("b")
    desk.abandon()
    row = desk.attempt("a")
    assert row.error is not None
    assert (row.status, row.error.code) == ("unknown", "WORKER_STOPPED")
    assert desk.state is None
    assert desk.rows.wake_at == desk.clock.now()  # c is ready
    assert desk.rows.columns["strikes"] == 0
    assert desk.play() is InstanceStatus.SUCCESS


def test_it_wakes_for_the_retry_of_what_the_worker_gave_up() -> None:
    desk = Desk({"a": {"retry": AUTO}})
    desk.claim()
    desk.start()
    desk.abandon()
    assert desk.rows.wake_at == desk.rows.tasks["a"].next_at


def test_it_ends_when_the_worker_gives_up_the_last_call() -> None:
    desk = Desk({"a": {"retry": NEVER}}, on_failure=OnFailure.FAIL)
    desk.claim()
    desk.start()
    desk.abandon()
    assert desk.status() is FAILED
    assert desk.rows.columns["closed"] is True
    assert desk.rows.wake_at is None


@pytest.mark.parametrize(("act", "status"), [("pause", InstanceStatus.PAUSED), ("cancel", InstanceStatus.CANCELLED)])
def test_it_does_what_waited_when_the_worker_stops(act: str, status: InstanceStatus) -> None:
    desk = Desk({"a": {"retry": NEVER}})
    desk.claim()
    desk.start()
    assert desk.act(act) is None
    desk.abandon()
    assert desk.status() is status
    assert desk.rows.verdicts["act-1"].done


def test_it_gives_back_an_instance_that_nobody_needs_to_claim() -> None:
    """A claim may come too late: the instance has ended meanwhile, and stays as it is."""
    desk = Desk({"a": {}})
    desk.play()
    logs = len(desk.rows.logs)
    effects = desk.claim()
    assert effects.unit is not None
    assert effects.unit.release
    assert len(desk.rows.logs) == logs


def test_it_finds_the_stop_again_after_a_load() -> None:
    desk = Desk({"a": {"on_failure": OnFailure.FAIL}, "b": {"retry": AUTO}, "c": {}})
    desk.claim()
    desk.start("a", "b")
    desk.end("a", NO)
    desk.claim(strikes=1)
    assert desk.status() is FAILED
    assert desk.rows.columns["error"]["code"] == "HTTP_400"
    assert desk.task_status("b") is TaskStatus.CANCELLED
    assert desk.task_status("c") is TaskStatus.PENDING


def test_it_looks_at_all_joins_again_after_a_claim() -> None:
    desk = Desk({"a": {}, "b": {"after": "a"}})
    desk.claim()
    desk.start()
    desk.end("a", OK)
    desk.claim(strikes=1)  # died before it could start b
    assert core.startable(desk.owned) == ["b"]


def test_acts_that_cannot_be_done_are_refused_as_it_parks() -> None:
    desk = Desk({"a": {}})
    desk.claim()
    asked = desk.make_act("retry")
    desk.park(refuse=[asked])
    verdict = desk.rows.verdicts[asked.action_id]
    assert (verdict.done, verdict.code, verdict.message) == (False, "RECORD_REFUSED", "the row was refused")
    assert desk.rows.wake_at is None
