"""F1: a process ends itself by SIGKILL at a named point, again and again, while instances run and people act.

Engines, starters and operators die at a point drawn from a deck of all; where a life does not come to its point it is
killed from outside, wherever it is. The targets kill too: on receipt, after the effect, after the answer.
"""

from __future__ import annotations

import json
import os
import random
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from disttask_project.kernel.crashpoints import POINTS
from tests.chaos.arena import DRIVE, MEND, OPERATE, START, Arena, Child
from tests.chaos.checker import unfinished
from tests.chaos.roles import lines

TYPES: Final = ("http", "db", "rpc", "mq")
TARGET_POINTS: Final = ("target.applied", "target.answered")
STARTER_POINTS: Final = ("start.before_commit", "start.after_commit", "starter.accepted")
OPERATOR_POINTS: Final = tuple(point for point in POINTS if point.startswith(("ask.", "hold.")))
# Bell, drive and cluster belong to the queue's processes (tests/chaos/clusterkills.py), a readback to an outage.
ELSEWHERE: Final = ("start.", "ask.", "hold.", "bell.", "drive.", "cluster.", "readback.")
ENGINE_POINTS: Final = tuple(
    point.replace("{type}", type_)
    for point in POINTS
    if not point.startswith(ELSEWHERE)
    for type_ in (TYPES if "{type}" in point else ("",))
)
ROLES: Final = {"engine": DRIVE, "starter": START, "operator": OPERATE}
POINTS_OF: Final = {
    "engine": (*ENGINE_POINTS, *TARGET_POINTS, "anywhere"),
    "starter": STARTER_POINTS,
    "operator": OPERATOR_POINTS,
}
# Dying is quick for who commits all the time; most deaths are to be those of engines.
REST: Final = {"engine": 0.0, "starter": 1.5, "operator": 0.5}
PATIENCE: Final = {"engine": 4.0, "starter": 4.0, "operator": 6.0}  # seconds to come to its point


class Deck:
    """All points of a role in random order, shuffled again when they are through."""

    def __init__(self, points: Sequence[str], chance: random.Random) -> None:
        self._points = points
        self._chance = chance
        self._left: list[str] = []

    def draw(self) -> str:
        if not self._left:
            self._left = list(self._points)
            self._chance.shuffle(self._left)
        return self._left.pop()


@dataclass
class Killing:
    """`kills` deaths, of engines mostly; then everything is left alone until it rests."""

    arena: Arena
    kills: int
    engines: int = 3
    most_seconds: float = 600
    killed: Counter[str] = field(default_factory=Counter)

    def run(self) -> None:
        self._decks = {role: Deck(points, self.arena.chance) for role, points in POINTS_OF.items()}
        self._due: list[tuple[float, str]] = []
        deadline = time.monotonic() + self.most_seconds
        for role, count in (("engine", self.engines), ("starter", 1), ("operator", 1)):
            for _ in range(count):
                self._bear(role)
        while self.killed.total() < self.kills and time.monotonic() < deadline:
            self._turn()
            time.sleep(0.01)

    def _turn(self) -> None:
        now = time.monotonic()
        for child, number in self.arena.reap():
            if number:
                self.killed[self._name(child)] += 1
            self._due.append((now + REST[child.role], child.role))
        for at, role in [each for each in self._due if each[0] <= now]:
            self._due.remove((at, role))
            self._bear(role)
        for child in list(self.arena.children.values()):
            if child.role in PATIENCE and now - child.born > PATIENCE[child.role]:
                self.arena.kill(child)

    def _name(self, child: Child) -> str:
        for line in lines(self.arena.play.home / "target-kills"):
            pid, _, point = line.partition(" ")
            if int(pid) == child.pid:
                return point
        return f"{child.role} anywhere" if child.killed else child.armed.rpartition(":")[0] or child.armed

    def _bear(self, role: str) -> None:
        point = self._decks[role].draw()
        passes = self.arena.chance.choice([1, 1, 2, 3, 5, 8])
        if point in TARGET_POINTS:
            self.arena.mood(kill_when=point.partition(".")[2], kill_in=passes, kill_of=os.getpid())
        armed = f"{point}:{passes}" if point in (*ENGINE_POINTS, *STARTER_POINTS, *OPERATOR_POINTS) else ""
        pid = self.arena.fork(role, ROLES[role], armed=armed)
        if not armed:
            self.arena.children[pid].armed = f"{point}:0"

    def settle(self, *, within: float) -> float:
        """No more deaths: seconds until every accepted start rests, with an operator who mends."""
        arena, started = self.arena, time.monotonic()
        arena.end([child for child in arena.children.values() if child.role != "target"], within=15)
        arena.mood()
        for _ in range(2):
            arena.fork("engine", DRIVE)
        arena.fork("operator", MEND)
        accepted = lines(arena.play.accepted)
        arena.wait(lambda: self._rests(accepted), within=within, every=0.5)
        arena.end([child for child in arena.children.values() if child.role == "operator"])
        # One who mended last has left the instance running.
        arena.wait(lambda: self._rests(accepted), within=within, every=0.5)
        took = time.monotonic() - started
        arena.end([child for child in arena.children.values() if child.role == "engine"])
        return round(took, 1)

    def _rests(self, accepted: Sequence[str]) -> bool:
        """An engine that ends itself (its loop was silent for too long on a busy machine) is started again."""
        for child, _ in self.arena.reap():
            self.arena.fork(child.role, DRIVE if child.role == "engine" else MEND)
        return not unfinished(accepted)

    def as_json(self) -> str:
        return json.dumps(dict(sorted(self.killed.items())))
