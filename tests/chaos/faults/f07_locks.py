"""F7: rows locked by others, deadlocks, a busy SQLite file. Everything clears within five seconds each time."""

from __future__ import annotations

import random
import time

from django.db import DatabaseError, connection, transaction

from execution.models import Instance
from tests.chaos import flow
from tests.chaos.arena import MEND, OPERATE, START, arena
from tests.chaos.counts import Count
from tests.chaos.roles import Play, lines, note
from tests.chaos.scene import counts_of, engines, put_up, rest, summed
from tests.chaos.stage import Stage

LOCKERS = 3


def run(stage: Stage) -> list[Count]:
    wanted = 15 if stage.quick else 300
    play = Play(home=stage.folder("f7"), prefix=f"f7-{stage.seed}-", flow="locked", outstanding=100)
    put_up(flow.definition(port=stage.port, name="locked"))
    with arena(play, port=stage.port, seed=stage.seed) as ring:
        engines(ring, 3)
        ring.fork("starter", START)
        ring.fork("operator", OPERATE)
        # The whole of an SQLite file is locked by one; more would leave nobody else a turn.
        for _ in range(1 if stage.store == "sqlite" else LOCKERS):
            ring.fork("locker", lock)
        held = play.home / "held"
        ring.wait(lambda: len(lines(held)) >= wanted and len(lines(play.accepted)) >= wanted, within=240)
        ring.end([*ring.of_role("starter"), *ring.of_role("operator"), *ring.of_role("locker")])
        ring.fork("operator", MEND)
        rest(ring, lines(play.accepted), within=90)
        ring.end(ring.of_role("operator"))
        rest(ring, lines(play.accepted), within=90)
        counts = counts_of(stage, play)
    what = "locks held against the engines after which something was wrong"
    return summed("F7", what, counts, of=len(lines(held)), store=stage.store)


def lock(play: Play) -> None:
    """Hold rows in an order of its own for up to two seconds; on SQLite the whole file."""
    chance = random.Random()
    while True:
        ids = list(Instance.objects.filter(wake_at__isnull=False).values_list("id", flat=True)[:50])
        try:
            with transaction.atomic():
                for instance_id in chance.sample(ids, min(8, len(ids))):
                    if connection.vendor == "sqlite":
                        break  # the transaction began with the lock
                    list(Instance.objects.select_for_update().filter(pk=instance_id).values_list("id"))
                    time.sleep(0.02)
                time.sleep(chance.choice([0, 0.05, 0.2, 0.5, 1.5]))
            note(play.home / "held", "held\n")
        except DatabaseError:
            note(play.home / "held", "deadlock\n")
            connection.close()
        time.sleep(chance.uniform(0.05, 0.4))
