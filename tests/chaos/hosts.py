"""Real engine hosts on a scratch home: started, killed by role, started again as a service manager would."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from execution.engine.processes import leader_of, members, read_leader

ROOT: Final = Path(__file__).resolve().parent.parent.parent
# What the command line of a process tells of its role: the supervisor, the queue's own five, a bare engine.
ROLES: Final = {
    "runcluster": "supervisor",
    "runengine": "engine",
    "monitor": "monitor",
    "pusher": "pusher",
    "idle": "worker idle",
    "processing": "worker busy",
    "MainProcess": "guard",
    "-m": "main",
}


class HostProcess:
    """`manage.py runcluster` or `runengine`, in a checkout: this one, or that of another version."""

    def __init__(self, command: str, home: Path, environment: Mapping[str, str], *, checkout: Path = ROOT) -> None:
        self.command = command
        self._home = home
        self._environment = dict(environment)
        self._checkout = checkout
        self._log = (home / f"{command}.log").open("ab")
        self.starts = 0
        self._seen: set[tuple[int, str]] = set()
        self.start()

    def start(self) -> None:
        self.starts += 1
        self._process = subprocess.Popen(
            [sys.executable, "manage.py", self.command],
            cwd=self._checkout,
            env=self._environment,
            stdout=self._log,
            stderr=self._log,
            stdin=subprocess.DEVNULL,
        )

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def revive(self) -> None:
        if not self.alive:
            self.start()

    def pids(self) -> list[int]:
        """This process, and for a cluster all of its family."""
        own = [self._process.pid] if self.alive else []
        record = self._home / "run" / "cluster"
        if self.command != "runcluster" or not record.exists():
            return own
        leader = read_leader(record.read_text().partition(" ")[2])
        family = members(leader) if leader is not None else []
        self._seen.update((pid, leader_of(pid).started) for pid in family)
        return own + family

    def left(self) -> list[int]:
        """Of the family, whoever lives although all was stopped."""
        return [
            pid for pid, started in self._seen if started and leader_of(pid).started == started and not is_zombie(pid)
        ]

    def by_role(self) -> dict[str, list[int]]:
        found: dict[str, list[int]] = {}
        for pid in self.pids():
            found.setdefault(role_of(pid), []).append(pid)
        return found

    def stop(self) -> int:
        if self.alive:
            self._process.send_signal(signal.SIGTERM)
        try:
            code = self._process.wait(60)
        except subprocess.TimeoutExpired:
            self._process.kill()
            code = self._process.wait(10)
        finally:
            self._log.close()
        return code


def role_of(pid: int) -> str:
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").replace("\0", " ").split()
    except OSError:
        return "gone"
    return next((role for word, role in ROLES.items() if word in words), "other")


def is_zombie(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return False
