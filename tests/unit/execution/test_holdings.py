"""Holdings: who is on trial, so that nobody else who struck is put at its side."""

from __future__ import annotations

import pytest

from disttask_project.kernel.clock import SystemClock
from execution.domain.states import InstanceStatus
from execution.engine.core import SUSPECT, load_state
from execution.engine.owned import Holdings, Owned
from tests.fakes.flows import flow, task


def held(strikes: int, *, since: float = 0) -> Owned:
    state = load_state(
        flow=flow("f", task("a")),
        tasks={},
        id="i",
        flow_id="f",
        version_number=1,
        status=InstanceStatus.PENDING,
        params={},
        strikes=strikes,
        created_at=SystemClock().now(),
    )
    owned = Owned(state, 1, struck=strikes > 0)
    owned.adopted_at -= since
    return owned


@pytest.mark.parametrize(
    ("strikes", "since", "tries"), [(0, 0, False), (SUSPECT - 1, 0, False), (SUSPECT, 0, True), (SUSPECT, 9, False)]
)
def test_one_that_its_next_strike_would_park_is_on_trial_for_a_while(strikes: int, since: float, tries: bool) -> None:
    holdings = Holdings()
    holdings.add(held(strikes, since=since))
    assert holdings.tries(within=5) is tries


def test_an_outcome_ends_the_trial() -> None:
    holdings = Holdings()
    suspect = held(SUSPECT)
    holdings.add(suspect)
    suspect.state.strikes = 0
    assert not holdings.tries(within=5)
