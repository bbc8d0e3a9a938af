"""A sample of the whole run (`make chaos`): each fault in its quick form, on the store of this test run."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from django.conf import settings

from tests.chaos.counts import Count, count_of
from tests.chaos.faults.f17_clocks import library
from tests.chaos.faults.f24_upgrade import OLD
from tests.chaos.plan import FAULTS
from tests.chaos.servers import program


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
    done = subprocess.run(command, cwd=settings.BASE_DIR, capture_output=True, text=True, timeout=390, check=False)
    assert done.returncode == 0, done.stdout + done.stderr[-4000:]
    return [count_of(each) for each in json.loads(done.stdout.splitlines()[-1])]


def migrations(commit: str) -> list[str]:
    """Their files; none where the clone does not hold that commit."""
    command = ["git", "ls-tree", "-r", "--name-only", commit]
    done = subprocess.run(command, cwd=settings.BASE_DIR, capture_output=True, text=True, check=False)
    return sorted(name for name in done.stdout.splitlines() if "/migrations/" in name)


def assert_kept(*faults: str) -> None:
    """Every promise, and each fault has happened."""
    counts = play(*faults)
    assert not [each.line() for each in counts if not each.is_ok]
    assert set(faults) <= {each.id for each in counts}


@pytest.mark.slow
@pytest.mark.store
@pytest.mark.timeout(300)
def test_a_death_at_any_point_loses_nothing_doubles_nothing_and_leaves_nothing_unrecorded() -> None:
    counts = {(each.id, each.what): each for each in play("F1")}
    assert not [each.line() for each in counts.values() if each.bad]
    kills = next(each for (id_, _), each in counts.items() if id_ == "F1")
    assert kills.of >= 40
    assert {"R1", "R2", "R3", "R4", "R5"} <= {id_ for id_, _ in counts}


@pytest.mark.slow
@pytest.mark.store
@pytest.mark.timeout(300)
def test_rivals_and_races_have_one_winner_and_everybody_is_told() -> None:
    assert_kept("F14", "F16")


@pytest.mark.slow
@pytest.mark.store
@pytest.mark.timeout(300)
def test_locks_and_deadlocks_cost_only_time() -> None:
    assert_kept("F7")


@pytest.mark.slow
@pytest.mark.store
@pytest.mark.timeout(300)
@pytest.mark.parametrize("fault", ["F5", "F6"])
def test_a_server_that_dies_or_answers_no_commit_loses_nothing(fault: str, store_vendor: str) -> None:
    store = {"sqlite": "sqlite", "mysql": "mariadb", "postgresql": "postgres"}[store_vendor]
    if store == "sqlite":
        pytest.skip("a file has no server to lose")
    if fault == "F5" and program(store) is None:
        pytest.skip(f"no {store} is installed here to be killed")
    assert_kept(fault)


@pytest.mark.slow
@pytest.mark.store
@pytest.mark.timeout(300)
def test_hosts_with_wrong_clocks_change_nothing(store_vendor: str) -> None:
    if store_vendor == "sqlite":
        pytest.skip("a file has one host, and its clock is the store's")
    if library() is None:
        assert not os.environ.get("DISTTASK_CI"), "libfaketime is missing (Debian: faketime)"
        pytest.skip("libfaketime is not installed here (Debian: faketime)")
    assert_kept("F17")


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_frozen_engine_writes_nothing_when_it_wakes() -> None:
    assert_kept("F4")


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("fault", ["F22", "R9"])
def test_poison_is_parked_and_attempts_are_counted_across_deaths(fault: str) -> None:
    assert_kept(fault)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_what_is_made_to_break_a_parser_is_refused() -> None:
    assert_kept("F18")


@pytest.mark.slow
@pytest.mark.timeout(400)
@pytest.mark.parametrize("fault", ["F3", "F8"])
def test_a_cluster_outlives_its_processes_and_its_wake_ups(fault: str) -> None:
    assert_kept(fault)


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_a_full_disk_and_a_herd_cost_only_time() -> None:
    assert_kept("F20", "F23")


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_two_versions_may_work_on_one_database() -> None:
    if not migrations(OLD) or migrations("HEAD") != migrations(OLD):
        pytest.skip("no older version here with this schema: before the first release it may change")
    assert_kept("F24")


def test_a_fault_that_never_happened_was_not_survived() -> None:
    assert not Count(id="F1", what="kills", bad=0, of=0).is_ok


def test_every_fault_of_the_plan_can_be_run() -> None:
    assert all(callable(fault.run) for fault in FAULTS.values())
