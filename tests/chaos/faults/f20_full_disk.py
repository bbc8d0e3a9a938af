"""F20: no byte can be written any more. What was accepted is there, more is refused; with space it goes on alone."""

from __future__ import annotations

import resource
import time
from pathlib import Path

from django.conf import settings
from django.db import connections

from execution.models import Instance
from tests.chaos import flow
from tests.chaos.arena import START, Arena, arena
from tests.chaos.counts import Count
from tests.chaos.roles import Play, lines
from tests.chaos.scene import counts_of, engines, keep_alive, put_up, rest, summed
from tests.chaos.stage import Stage

FULL_SECONDS = 3.0


def run(stage: Stage) -> list[Count]:
    rounds = 2 if stage.quick else 20
    play = Play(home=stage.folder("f20"), prefix=f"f20-{stage.seed}-", flow="full", outstanding=30)
    put_up(flow.definition(port=stage.port, name="full"))
    database = Path(str(settings.DATABASES["default"]["NAME"]))
    refused = 0
    with arena(play, port=stage.port, seed=stage.seed) as ring:
        engines(ring, 2)
        ring.fork("starter", START)
        for _ in range(rounds):
            before = len(lines(play.accepted))
            _live(ring, lambda before=before: len(lines(play.accepted)) >= before + 10)
            # Neither the database nor its log may grow beyond what they are: every write fails.
            _limit(ring, min(database.stat().st_size, _size(database)))
            time.sleep(0.5)
            at_full = len(lines(play.accepted))
            time.sleep(FULL_SECONDS)
            refused += len(lines(play.accepted)) == at_full
            _limit(ring, resource.RLIM_INFINITY)
        ring.end(ring.of_role("starter"))
        accepted = lines(play.accepted)
        rest(ring, accepted, within=120)
        there = Instance.objects.filter(id__in=accepted).count()
        counts = counts_of(stage, play)
        connections.close_all()
    said = (
        ("accepted starts that are not in the store", len(accepted) - there, len(accepted)),
        ("full disks on which a start was still accepted", rounds - refused, rounds),
    )
    rows = [Count(id="F20", what=what, bad=bad, of=of, store=stage.store) for what, bad, of in said]
    return [*rows, *summed("F20", "full disks after which something was wrong", counts, of=rounds, store=stage.store)]


def _size(database: Path) -> int:
    log = database.with_name(f"{database.name}-wal")
    return log.stat().st_size if log.exists() else 0


def _limit(ring: Arena, most: int) -> None:
    for child in ring.children.values():
        if child.role in ("engine", "starter"):
            resource.prlimit(child.pid, resource.RLIMIT_FSIZE, (most, resource.RLIM_INFINITY))


def _live(ring: Arena, holds: object) -> None:
    assert callable(holds)
    deadline = time.monotonic() + 120
    while not holds() and time.monotonic() < deadline:
        for child, _ in ring.reap():
            if child.role == "starter":
                ring.fork("starter", START)
            else:
                engines(ring, 1)
        time.sleep(0.1)
    keep_alive(ring)
