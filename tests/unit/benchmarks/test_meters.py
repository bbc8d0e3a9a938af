"""CPU by descent, also where a process has lost its parent; the protocol's side of a participant."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from benchmarks.meters.cpu import OTHERS, CpuMeter, Reading, between
from tests.architecture.test_house import ROOT

BURN = "import time\nend = time.process_time() + 0.3\nwhile time.process_time() < end: pass\n"
PARTICIPANT = """
from benchmarks.protocol import Gate
gate = Gate()
print("noise that must not reach the rounds")
gate.ready()
gate.done(seconds=1.5)
"""


def test_it_counts_a_process_and_its_children_as_one_group() -> None:
    meter = CpuMeter({os.getpid(): "ours"})
    before = meter.read()
    nested = f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {BURN!r}], check=True)"
    subprocess.run([sys.executable, "-c", nested], check=True)
    spent = between(before, meter.read())
    assert spent["ours"] > 0.25


@pytest.mark.skipif(os.getpid() == 1, reason="everything descends from us")
def test_what_descends_from_no_root_belongs_to_others() -> None:
    reading = CpuMeter({}).read()
    assert set(reading.group.values()) == {OTHERS}


def test_a_process_that_ended_counts_in_its_parent() -> None:
    before = Reading({(1, "a"): 5.0, (2, "b"): 3.0}, {(1, "a"): "x", (2, "b"): "x"})
    after = Reading({(1, "a"): 9.0}, {(1, "a"): "x"})  # the parent's figure has taken over the child's 3.0 and more
    assert between(before, after) == {"x": 1.0}


def test_a_participant_talks_in_lines_and_keeps_noise_out() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PARTICIPANT], input="GO\nEND\n", capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert done.stdout == 'READY\n{"seconds": 1.5}\n'
    assert "noise" in done.stderr


def test_a_participant_ends_when_the_rounds_are_gone() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PARTICIPANT], input="", capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert done.returncode == 1
    assert "expected GO" in done.stderr
