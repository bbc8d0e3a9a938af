"""What the forked processes of an arena do: drive, start, operate. Each may be killed at any moment."""

from __future__ import annotations

import os
import random
import signal
import time
from dataclasses import dataclass
from pathlib import Path

from disttask_project.kernel.actor import Actor, system_actor
from disttask_project.kernel.crashpoints import crash_point
from disttask_project.kernel.errors import Conflict, DisttaskError, InvalidInput, NotFound
from execution.engine.hosting import Standalone
from execution.jobs import run_driver
from execution.models import Instance
from execution.services.acts import perform
from execution.services.start import Start, start_instances
from tests.chaos.flow import FLOW

BULK = 5
ACTOR_NAME = "chaos"


@dataclass(frozen=True, slots=True, kw_only=True)
class Play:
    """What the roles share: files that outlive each of them."""

    home: Path
    prefix: str
    outstanding: int = 60
    flow: str = FLOW

    @property
    def accepted(self) -> Path:
        return self.home / "accepted"

    @property
    def decided(self) -> Path:
        return self.home / "decided"

    @property
    def ledger(self) -> Path:
        return self.home / "ledger"


def actor() -> Actor:
    return system_actor(ACTOR_NAME)


def lines(path: Path) -> list[str]:
    """What was written whole: a killed writer may leave half a line."""
    return path.read_text().split("\n")[:-1] if path.exists() else []


def note(path: Path, text: str) -> None:
    """One write: a process that is killed has said all of it or nothing."""
    with path.open("ab", buffering=0) as file:
        file.write(text.encode())
        os.fsync(file.fileno())


def drive(_play: Play) -> None:
    host = Standalone()

    def go(_signal: int, _frame: object) -> None:
        host.going = True

    signal.signal(signal.SIGTERM, go)
    run_driver(host)


def start(play: Play) -> None:
    """Starts, a few at a time, each noted once it was accepted. After a death the last is asked for again."""
    number = len(lines(play.accepted))
    while True:
        if Instance.objects.filter(wake_at__isnull=False).count() >= play.outstanding:
            time.sleep(0.02)
            continue
        size = BULK if number % 2 else 1
        ids = [f"{play.prefix}{each:06}" for each in range(number, number + size)]
        starts = [Start(flow_name=play.flow, params={"order": each}, instance_id=each) for each in ids]
        if not _accepted(starts):
            time.sleep(0.1)
            continue
        crash_point("starter.accepted")
        note(play.accepted, "".join(f"{each}\n" for each in ids))
        number += size


def _accepted(starts: list[Start]) -> bool:
    """False: the store is away; nobody knows, so the same is asked again."""
    try:
        answers = start_instances(starts=starts, actor=actor())
    except DisttaskError:
        return False
    for answer in answers:
        if isinstance(answer, DisttaskError):
            raise answer
    return True


def operate(play: Play) -> None:
    """Acts at any moment on anything that is under way; those that are answered `done` are noted."""
    chance = random.Random()
    while True:
        ids = list(Instance.objects.filter(wake_at__isnull=False).values_list("id", flat=True)[:50])
        if ids:
            act(play, chance.choice(["pause", "pause", "cancel", "retry"]), chance.choice(ids))
        resume_all(play, most=5)
        time.sleep(chance.uniform(0, 0.2))


def resume_all(play: Play, *, most: int) -> None:
    for instance_id in list(Instance.objects.filter(status="paused").values_list("id", flat=True)[:most]):
        act(play, "resume", instance_id)
    for instance_id in list(Instance.objects.filter(status="failed", closed=False).values_list("id", flat=True)[:most]):
        act(play, "retry", instance_id)


def act(play: Play, name: str, instance_id: str) -> bool:
    """Whether it was done. Another's win and an act that no longer fits are answers like any other."""
    try:
        answer = perform(act=name, instance_id=instance_id, actor=actor(), reason="chaos")
    except (Conflict, InvalidInput, NotFound):
        return False
    except DisttaskError:
        time.sleep(0.2)  # the store is away
        return False
    if answer.state == "done":
        note(play.decided, f"{answer.action_id}\n")
    return answer.state == "done"


def mend(play: Play) -> None:
    """After the faults: an operator who resumes what is paused and retries what is parked."""
    while True:
        resume_all(play, most=20)
        time.sleep(0.2)
