"""A scratch home with engines, starters and operators that are forked from one prepared process.

Forking costs a fiftieth of a fresh start, so that thousands of deaths fit into an hour. The arena's own process has no
thread and no open connection when it forks.
"""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import time
import traceback
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from django.db import connections

from disttask_project.kernel import crashpoints
from tests.chaos import roles
from tests.chaos.roles import Play
from tests.chaos.target import Target

Role = Callable[[Play], None]


@dataclass(slots=True)
class Child:
    pid: int
    role: str
    armed: str
    born: float
    killed: bool = False


class Arena:
    """Forks, reaps, arms. Django is set up on the scratch store, and migrated, when this is made."""

    def __init__(self, play: Play, *, port: int, seed: int) -> None:
        self.play = play
        self.port = port  # of the targets
        self.chance = random.Random(seed)
        self.children: dict[int, Child] = {}
        self.surprises: list[str] = []  # children that ended by themselves

    def start_target(self) -> None:
        port = self.port
        self.fork("target", lambda play: Target(play.ledger, port).run())
        if not self.wait(self._target_listens, within=60):
            raise RuntimeError("the target does not listen")

    def _target_listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def mood(self, **said: Any) -> Mapping[str, Any]:
        """Tell the target how to behave; returns how many calls it had at once, by path."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/mood", data=json.dumps(said).encode(), method="POST"
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            most: Mapping[str, Any] = json.loads(answer.read())["most"]
            return most

    def fork(self, role: str, work: Role, *, armed: str = "", environment: Mapping[str, str] | None = None) -> int:
        connections.close_all()
        pid = os.fork()
        if pid:
            self.children[pid] = Child(pid, role, armed, time.monotonic())
            return pid
        self._become(role, work, armed, environment or {})
        raise AssertionError("unreachable")

    def _become(self, role: str, work: Role, armed: str, environment: Mapping[str, str]) -> None:
        code = 1
        try:
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, signal.SIG_DFL)
            random.seed()
            log = os.open(self.play.home / f"{role}.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
            os.dup2(log, 1)
            os.dup2(log, 2)
            os.environ.update(environment)
            crashpoints.arm(armed)
            work(self.play)
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)

    def of_role(self, role: str) -> list[Child]:
        return [child for child in self.children.values() if child.role == role]

    def reap(self) -> list[tuple[Child, int]]:
        """Children that have ended since, with the signal that ended them (0: by themselves)."""
        found = []
        for pid in list(self.children):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if not ended:
                continue
            child = self.children.pop(pid)
            number = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
            if number == 0:
                self.surprises.append(f"{child.role} ended with {os.WEXITSTATUS(status)}")
            found.append((child, number))
        return found

    def kill(self, child: Child) -> None:
        child.killed = True
        os.kill(child.pid, signal.SIGKILL)

    def wait(self, holds: Callable[[], bool], *, within: float, every: float = 0.1) -> bool:
        """Whether the condition came true in time."""
        deadline = time.monotonic() + within
        while time.monotonic() < deadline:
            if holds():
                return True
            time.sleep(every)
        return False

    def end(self, children: Sequence[Child], *, within: float = 20) -> None:
        """SIGTERM, and SIGKILL for those that do not go."""
        for child in children:
            os.kill(child.pid, signal.SIGTERM)
        deadline = time.monotonic() + within
        while any(child.pid in self.children for child in children) and time.monotonic() < deadline:
            self.reap()
            time.sleep(0.02)
        for child in children:
            if child.pid in self.children:
                os.kill(child.pid, signal.SIGKILL)
                os.waitpid(child.pid, 0)
                del self.children[child.pid]

    def end_all(self) -> None:
        self.end([child for child in self.children.values() if child.role != "target"])
        self.end(list(self.children.values()))
        connections.close_all()


@contextmanager
def arena(play: Play, *, port: int, seed: int) -> Iterator[Arena]:
    """With its target, and without a process of it left afterwards."""
    made = Arena(play, port=port, seed=seed)
    try:
        made.start_target()
        yield made
    finally:
        made.end_all()


DRIVE, START, OPERATE, MEND = roles.drive, roles.start, roles.operate, roles.mend
