"""Real engine hosts on a scratch home: started, killed at random, started again as a service manager would."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from execution.engine.processes import members, read_leader

ROOT = Path(__file__).resolve().parent.parent.parent


class HostProcess:
    """`manage.py runcluster` or `runengine`."""

    def __init__(self, command: str, home: Path, environment: Mapping[str, str]) -> None:
        self.command = command
        self._home = home
        self._environment = environment
        self._log = (home / f"{command}.log").open("ab")
        self.starts = 0
        self.start()

    def start(self) -> None:
        self.starts += 1
        self._process = subprocess.Popen(
            [sys.executable, "manage.py", self.command],
            cwd=ROOT,
            env=dict(self._environment),
            stdout=self._log,
            stderr=self._log,
            stdin=subprocess.DEVNULL,
        )

    def revive(self) -> None:
        if self._process.poll() is not None:
            self.start()

    def pids(self) -> list[int]:
        """This process, and for a cluster all of its family."""
        own = [self._process.pid] if self._process.poll() is None else []
        record = self._home / "run" / "cluster"
        if self.command != "runcluster" or not record.exists():
            return own
        leader = read_leader(record.read_text().partition(" ")[2])
        return own + (members(leader) if leader is not None else [])

    def stop(self) -> int:
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        try:
            code = self._process.wait(40)
        finally:
            self._log.close()
        return code


def kill_one(hosts: list[HostProcess], chance: random.Random) -> str:
    """SIGKILL a process, its role chosen at random first: tops are many, monitors few. Empty: none was there."""
    roles: dict[str, list[int]] = {}
    for host in hosts:
        for pid in host.pids():
            roles.setdefault(f"{host.command} {_title(pid)}", []).append(pid)
    if not roles:
        return ""
    role = chance.choice(sorted(roles))
    try:
        os.kill(chance.choice(roles[role]), signal.SIGKILL)
    except ProcessLookupError:
        return ""
    return role


def _title(pid: int) -> str:
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").replace("\0", " ").split()
    except OSError:
        return "gone"
    roles = ("monitor", "pusher", "idle", "processing", "MainProcess")
    return next((role for role in roles if role in words), "top")


def wait_until(holds: object, within: float) -> bool:
    """Whether the condition came true in time."""
    assert callable(holds)
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        if holds():
            return True
        time.sleep(0.1)
    return False
