"""A sample of the whole run (`make chaos`): each fault in its quick form, on the store of this test run."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from django.conf import settings

from tests.chaos.counts import Count, count_of
from tests.chaos.plan import FAULTS


def play(*faults: str, seed: int = 42) -> list[Count]:
    """In processes of its own: they fork, and have the scratch store for themselves."""
    command = [
        sys.executable,
        "-W",
        "ignore",
        "-m",
        "tests.chaos.one",
        ",".join(faults),
        "--quick",
        "--seed",
        str(seed),
    ]
    command += ["--url", os.environ.get("DISTTASK_DATABASE_URL", "")]
    done = subprocess.run(command, cwd=settings.BASE_DIR, capture_output=True, text=True, timeout=290, check=False)
    assert done.returncode == 0, done.stdout + done.stderr[-4000:]
    return [count_of(each) for each in json.loads(done.stdout.splitlines()[-1])]


@pytest.mark.slow
@pytest.mark.store
@pytest.mark.timeout(300)
def test_a_death_at_any_point_loses_nothing_doubles_nothing_and_leaves_nothing_unrecorded() -> None:
    counts = {(each.id, each.what): each for each in play("F1")}
    assert not [each.line() for each in counts.values() if each.bad]
    kills = next(each for (id_, _), each in counts.items() if id_ == "F1")
    assert kills.of >= 40
    assert {"R1", "R2", "R3", "R4", "R5"} <= {id_ for id_, _ in counts}


def test_a_fault_that_never_happened_was_not_survived() -> None:
    assert not Count(id="F1", what="kills", bad=0, of=0).is_ok


def test_every_fault_of_the_plan_can_be_run() -> None:
    assert all(callable(fault.run) for fault in FAULTS.values())
