"""Crash points: off they do nothing, armed they kill once, and each that is listed stands in the engine."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from disttask_project.kernel import crashpoints
from disttask_project.kernel.crashpoints import POINTS, arm, arm_from, crash_point

ROOT = Path(__file__).parents[3]


@pytest.fixture
def kills(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[int, int]]]:
    found: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "kill", lambda pid, number: found.append((pid, number)))
    yield found
    arm("")


def test_an_unarmed_point_does_nothing(kills: list[tuple[int, int]]) -> None:
    arm_from({})
    crash_point("journal.after_commit")
    assert not kills


def test_the_nth_pass_of_the_named_point_kills_this_process(kills: list[tuple[int, int]]) -> None:
    arm_from({crashpoints.VARIABLE: "call.send:http:2"})
    for name in ("call.send:http", "call.send:db", "journal.after_commit"):
        crash_point(name)
    assert not kills
    crash_point("call.send:http")
    assert kills == [(os.getpid(), signal.SIGKILL)]


def test_a_star_takes_all_that_begin_so(kills: list[tuple[int, int]]) -> None:
    arm("call.*:2")
    crash_point("call.send:http")
    crash_point("call.receive:db")
    assert len(kills) == 1


def test_of_many_processes_the_one_that_removes_the_file_dies(kills: list[tuple[int, int]], tmp_path: Path) -> None:
    once = tmp_path / "once"
    once.touch()
    arm(f"drive.end:1:{once}")
    crash_point("drive.end")
    crash_point("drive.end")
    assert len(kills) == 1
    assert not once.exists()


@pytest.mark.parametrize("what", ["journal", "journal:0", "journal:x", ":3"])
def test_what_cannot_be_read_is_refused(what: str, kills: list[tuple[int, int]]) -> None:
    with pytest.raises(ValueError, match="expected NAME:PASS"):
        arm(what)


def test_every_listed_point_stands_in_the_engine_and_no_other() -> None:
    text = "\n".join(path.read_text() for path in (ROOT / "execution").rglob("*.py"))
    direct = {name.replace("{executor.name}", "{type}") for name in re.findall(r'crash_point\(f?"([^"]+)"\)', text)}
    commits = set(re.findall(r'\.writing\("(\w+)"\)', text))
    pairs = {f"{name}.{when}" for name in commits for when in ("before_commit", "after_commit")}
    assert {name for name in direct if not name.startswith("{point}")} | pairs == set(POINTS)
