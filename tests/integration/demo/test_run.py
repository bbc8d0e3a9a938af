"""`make run`: comes up, restarts what dies, leaves nothing behind however it ends."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests

from demo.leftovers import leftovers
from demo.places import BASE, Place, answers
from tests.integration.demo.copies import READY, Copy, environment, free_place, start

pytestmark = pytest.mark.slow


@pytest.fixture
def copy(tmp_path: Path) -> Iterator[Copy]:
    copy = start(free_place(tmp_path))
    yield copy
    copy.end()


def wait_until(is_so: Callable[[], bool], *, seconds: float = 30) -> bool:
    deadline = time.monotonic() + seconds
    while not is_so() and time.monotonic() < deadline:
        time.sleep(0.1)
    return is_so()


def pids(copy: Copy, words: str) -> list[int]:
    """This copy's processes whose command line holds `words`."""
    found = []
    for pid in leftovers(copy.here.home):
        try:
            command = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
        if words in command:
            found.append(pid)
    return found


def test_it_comes_up_restarts_what_dies_and_leaves_nothing(copy: Copy) -> None:
    copy.wait_for(READY)
    url = f"http://127.0.0.1:{copy.here.port}"
    assert requests.get(f"{url}/healthz", timeout=5).status_code == 200
    assert requests.get(url, timeout=5).status_code == 200, "the login page"
    (killed,) = pids(copy, "demo.inventory")
    os.kill(killed, signal.SIGKILL)
    assert wait_until(lambda: pids(copy, "demo.inventory") not in ([], [killed]))
    assert wait_until(lambda: answers(copy.here.inventory_port))
    assert "inventory ended (signal SIGKILL)" in copy.output()
    assert copy.stop(signal.SIGINT) == 0
    assert leftovers(copy.here.home) == []


def test_its_children_end_when_it_is_killed(copy: Copy) -> None:
    copy.wait_for(READY)
    copy.process.kill()
    copy.process.wait()
    assert wait_until(lambda: not leftovers(copy.here.home)), leftovers(copy.here.home)
    again = start(copy.here)
    try:
        began = time.monotonic()
        again.wait_for(READY)
        assert time.monotonic() - began < 20, "a second start does little; 10 s on a machine that has time"
        assert again.stop(signal.SIGTERM) == 0
    finally:
        again.end()


def test_a_second_one_in_the_same_home_is_told_so(copy: Copy) -> None:
    copy.wait_for("preparing")
    refused = run(copy.here)
    assert refused.returncode == 1
    assert refused.stderr.startswith("disttask does not start: it already runs in")
    assert len(refused.stderr.splitlines()) == 1


def test_a_taken_port_gets_one_line(tmp_path: Path) -> None:
    here = free_place(tmp_path)
    with socket.create_server(("127.0.0.1", here.inventory_port)):
        refused = run(here)
    assert refused.returncode == 1
    assert f"port {here.inventory_port} on 127.0.0.1 (inventory service) is taken" in refused.stderr
    assert len(refused.stderr.splitlines()) == 1


def run(here: Place) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "demo.run"],
        cwd=BASE,
        env=environment(here),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
