"""Seeded runs of core, journal and leases with everything going wrong around them; and the proof that they can fail."""

from __future__ import annotations

import pytest

from tests.simulation.bugs import ALL, planted
from tests.simulation.run import Broken, run_seed

SEEDS = 500
CHUNK = 25
SEEDS_TO_SEE_A_BUG = 400


@pytest.mark.parametrize("first", range(0, SEEDS, CHUNK))
def test_it_keeps_its_promises(first: int) -> None:
    for seed in range(first, first + CHUNK):
        run_seed(seed)


@pytest.mark.parametrize("bug", ALL)
def test_it_sees_a_planted_bug(bug: str) -> None:
    with planted(bug) as switches:
        for seed in range(SEEDS_TO_SEE_A_BUG):
            try:
                run_seed(seed, bugs=switches)
            except Broken:
                return
    pytest.fail(f"{bug} was not seen in {SEEDS_TO_SEE_A_BUG} seeds")


def test_it_plays_a_seed_the_same_way_twice() -> None:
    first, second = run_seed(7), run_seed(7)
    assert list(first.trace) == list(second.trace)
    assert first.steps == second.steps


def test_it_names_the_seed_of_a_violation() -> None:
    with planted("call_before_commit") as switches, pytest.raises(Broken, match=r"seed 3: [\s\S]*again: python -m"):
        run_seed(3, bugs=switches)
