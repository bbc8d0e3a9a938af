"""Holding an instance for one transaction: the console's and REST's way to write one that no driver has."""

from __future__ import annotations

from datetime import timedelta

import pytest

from execution.domain.outcome import Result
from execution.engine.events import Acts, Claimed
from execution.engine.state import Act
from execution.models import Instance, OperatorAction
from tests.fakes.flows import flow, task
from tests.integration.execution.kit import Bench
from tests.integration.execution.test_store_starts import action

ONE = flow("f", task("a"))


def cancel(action_id: str = "x") -> Act:
    return Act(action_id=action_id, act="cancel", payload={}, actor="ops", reason="why")


def test_it_holds_what_nobody_has(bench: Bench) -> None:
    (instance_id,) = bench.insert(ONE)
    with bench.store.hold(instance_id, owner="ops", now=bench.store.now()) as hold:
        assert hold is not None
        assert hold.state.fence == 1
        hold.apply(bench.step(hold.state, Acts(acts=[cancel()], inbox=0)))
    row = Instance.objects.get()
    assert (row.status, row.owner, row.wake_at, row.fence) == ("cancelled", "", None, 1)


def test_it_holds_nothing_that_a_live_lease_has(bench: Bench) -> None:
    (instance_id,) = bench.insert(ONE)
    bench.claim("driver")
    with bench.store.hold(instance_id, owner="ops", now=bench.store.now()) as hold:
        assert hold is None
    assert Instance.objects.get().fence == 1


def test_a_lease_that_ran_out_is_taken_with_a_strike(bench: Bench) -> None:
    (instance_id,) = bench.insert(ONE)
    state = bench.load("driver").state
    started = bench.start(state, "a")
    bench.store.apply([started])
    with bench.store.hold(instance_id, owner="ops", now=bench.later(60)) as hold:
        assert hold is not None
        assert (hold.state.fence, hold.state.strikes, len(hold.open_attempts)) == (2, 1, 1)
        hold.apply(bench.step(hold.state, Claimed(open_attempts=hold.open_attempts)))
    assert bench.store.apply([bench.end(state, "a", Result(value=1))]) == {instance_id}


def test_what_is_left_to_do_is_due_at_once(bench: Bench) -> None:
    (instance_id,) = bench.insert(ONE)
    with bench.store.hold(instance_id, owner="ops", now=bench.store.now()) as hold:
        assert hold is not None
        hold.apply(bench.step(hold.state, Claimed()))
    row = Instance.objects.get()
    assert (row.status, row.owner) == ("running", "")
    assert bench.store.has_due(bench.later())


def test_an_error_in_the_block_takes_all_of_it_back(bench: Bench) -> None:
    (instance_id,) = bench.insert(ONE)

    def cancel_and_fail() -> None:
        with bench.store.hold(instance_id, owner="ops", now=bench.store.now()) as hold:
            assert hold is not None
            hold.apply(bench.step(hold.state, Acts(acts=[cancel()], inbox=0)))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        cancel_and_fail()
    row = Instance.objects.get()
    assert (row.status, row.fence) == ("pending", 0)


def test_there_must_be_such_an_instance(bench: Bench) -> None:
    with pytest.raises(LookupError), bench.store.hold("nobody", owner="ops", now=bench.store.now()):
        pass


def test_an_act_that_was_asked_while_the_driver_let_go_is_due_at_once(bench: Bench) -> None:
    (instance_id,) = bench.insert(ONE)
    state = bench.load("driver").state
    bench.store.apply([bench.start(state, "a")])
    assert bench.store.ask(action(instance_id), now=bench.store.now())
    bench.store.apply([bench.end(state, "a", Result(value=1))])
    row = Instance.objects.get()
    assert (row.status, row.owner) == ("success", "")
    assert bench.store.has_due(bench.later())


def test_a_verdict_closes_the_act(bench: Bench) -> None:
    (instance_id,) = bench.insert(ONE)
    asked = action(instance_id)
    bench.store.ask(asked, now=bench.store.now())
    loaded = bench.load("driver")
    acts = bench.store.open_actions([instance_id])[instance_id]
    bench.store.apply([bench.step(loaded.state, Claimed(), Acts(acts=acts, inbox=1))])
    row = OperatorAction.objects.get()
    assert (row.state, row.open_key) == ("done", None)
    assert row.decided_at is not None
    assert Instance.objects.get().wake_at is None


def test_heartbeats_are_read_back(bench: Bench) -> None:
    assert bench.store.freshest_beat() is None
    now = bench.store.now()
    for state, at in (("running", now), ("ended", now + timedelta(seconds=5))):
        bench.store.beat(f"s-{state}", host="h", pid=1, kind="engine", state=state, in_flight=2, now=at)
    assert bench.store.freshest_beat() == now
