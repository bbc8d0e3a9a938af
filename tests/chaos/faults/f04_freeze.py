"""F4: an engine is frozen past its lease, in the middle of whatever it did, and wakes among those who took over."""

from __future__ import annotations

import os
import signal
import time

from execution.models import Attempt
from tests.chaos import flow
from tests.chaos.arena import START, Arena, arena
from tests.chaos.counts import Count
from tests.chaos.roles import Play, lines
from tests.chaos.scene import counts_of, engines, keep_alive, put_up, rest, summed
from tests.chaos.stage import CHAOS_LEASE, Stage

ENGINES = 4
AT_ONCE = 2


def run(stage: Stage) -> list[Count]:
    freezes = 6 if stage.quick else 70
    play = Play(home=stage.folder("f4"), prefix=f"f4-{stage.seed}-")
    put_up(flow.definition(port=stage.port, name="freeze"))
    with arena(Play(home=play.home, prefix=play.prefix, flow="freeze"), port=stage.port, seed=stage.seed) as ring:
        ring.mood(slowest=0.5)
        engines(ring, ENGINES)
        ring.fork("starter", START)
        frozen = _freeze(ring, freezes)
        ring.end(ring.of_role("starter"))
        ring.mood()
        rest(ring, lines(play.accepted), within=90)
        counts = counts_of(stage, play)
        late = Attempt.objects.filter(stale__isnull=False).count()
    what = "freezes after which a stale write or a second effect was found"
    return summed("F4", what, counts, of=frozen, store=stage.store, **{"late answers kept as stale": late})


def _freeze(ring: Arena, wanted: int) -> int:
    """At most two at a time; each for longer than its lease, some so long that their watch ends them on waking."""
    frozen: dict[int, float] = {}
    done = 0
    while done < wanted or frozen:
        now = time.monotonic()
        for pid, until in list(frozen.items()):
            if now >= until:
                os.kill(pid, signal.SIGCONT)
                del frozen[pid]
        keep_alive(ring)
        awake = [child.pid for child in ring.of_role("engine") if child.pid not in frozen and now - child.born > 1]
        if done < wanted and len(frozen) < AT_ONCE and awake:
            pid = ring.chance.choice(awake)
            os.kill(pid, signal.SIGSTOP)
            frozen[pid] = now + ring.chance.uniform(CHAOS_LEASE + 0.5, CHAOS_LEASE + 4)
            done += 1
        time.sleep(ring.chance.uniform(0, 0.2))
    return done
