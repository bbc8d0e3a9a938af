"""`make run`: comes up, restarts what dies, leaves nothing behind however it ends."""

from __future__ import annotations

import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
import requests

from demo.leftovers import leftovers
from demo.places import BASE, Place, answers
from tests.integration.demo.copies import READY, Copy, environment, free_place, start

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]


@pytest.fixture
def copy(tmp_path: Path) -> Iterator[Copy]:
    copy = start(free_place(tmp_path))
    yield copy
    copy.end()


FIRST_SCREEN = Counter({("success", False): 9, ("failed", True): 2, ("running", False): 1})


def manage(here: Place, *words: str) -> str:
    command = [sys.executable, "manage.py", *words]
    done = subprocess.run(
        command, cwd=BASE, env=environment(here), capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def switch(here: Place, word: str) -> None:
    subprocess.run(
        [sys.executable, "-m", "demo.switch", word], cwd=BASE, env=environment(here), timeout=180, check=True
    )


def dozen(copy: Copy) -> Counter[tuple[str, bool]]:
    """How the instances stand; read from the file, because a command takes seconds on a busy machine."""
    with closing(sqlite3.connect(f"file:{copy.here.home / 'disttask.sqlite3'}?mode=ro", uri=True, timeout=20)) as store:
        rows = store.execute("SELECT status, needs_attention FROM execution_instance").fetchall()
    return Counter((status, bool(needs_attention)) for status, needs_attention in rows)


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


def test_the_first_screen_shows_success_refusal_back_off_and_a_parked_order_and_can_be_had_again(copy: Copy) -> None:
    copy.wait_for(READY)
    assert wait_until(lambda: dozen(copy) == FIRST_SCREEN, seconds=120), dozen(copy)
    manage(copy.here, "tx", "start", "demo-order", "--id", "SO-1", "--wait")
    switch(copy.here, "reset")
    copy.wait_for(READY, times=2)
    assert wait_until(lambda: dozen(copy) == FIRST_SCREEN, seconds=120), dozen(copy)
    stock = requests.get(f"http://127.0.0.1:{copy.here.inventory_port}/stock", timeout=5).json()
    assert stock["lamp"] == 1_000_000 - 6, "the ledgers began anew: only the dozen is in them"


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
