"""A copy of the demo for a test: a home and ports of its own, started like `make run` starts it."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from demo.leftovers import leftovers
from demo.places import BASE, Place, is_free

READY: Final = "disttask is ready"
START_SECONDS: Final = 120


@dataclass
class Copy:
    """One `make run`; its terminal goes to a file, so that nobody has to read along."""

    here: Place
    process: subprocess.Popen[bytes]
    terminal: Path

    def output(self) -> str:
        return self.terminal.read_text(encoding="utf-8", errors="replace")

    def wait_for(self, text: str, *, times: int = 1, seconds: float = START_SECONDS) -> None:
        deadline = time.monotonic() + seconds
        while self.output().count(text) < times:
            assert self.process.poll() is None, self.output()
            assert time.monotonic() < deadline, f"no {text!r} in:\n{self.output()}"
            time.sleep(0.1)

    def stop(self, number: signal.Signals = signal.SIGINT) -> int:
        """What a terminal does at Ctrl-C: the whole foreground group gets the signal."""
        os.killpg(self.process.pid, number)
        return self.process.wait(timeout=60)

    def end(self) -> None:
        """Whatever happened, nothing of it outlives the test."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        for pid in leftovers(self.here.home):
            os.kill(pid, signal.SIGKILL)


def free_place(home: Path) -> Place:
    for _ in range(200):
        port = random.randrange(20_000, 60_000, 4)
        if all(is_free(port + step) for step in range(4)):
            return Place(home=home, port=port)
    raise RuntimeError("no four free ports in a row")


def environment(here: Place) -> dict[str, str]:
    """What a person would export: the rest of the test run's own settings stays out."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("DISTTASK_", "DJANGO_"))}
    return {**kept, "DISTTASK_HOME": str(here.home), "DISTTASK_PORT": str(here.port), "VENV": sys.prefix}


def start(here: Place, command: Sequence[str] = (sys.executable, "-m", "demo.run")) -> Copy:
    here.home.mkdir(parents=True, exist_ok=True)
    terminal = here.home / f"terminal-{time.monotonic_ns()}.txt"
    with terminal.open("wb") as file:
        process = subprocess.Popen(
            command,
            cwd=BASE,
            env=environment(here),
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    return Copy(here=here, process=process, terminal=terminal)
