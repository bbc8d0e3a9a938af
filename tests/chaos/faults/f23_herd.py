"""F23: a whole herd is due at the same second, and its target is down at first. It drains, never all at once."""

from __future__ import annotations

import time

from django.db import connections

from execution.executors.http import HttpExecutor
from execution.models import Instance
from tests.chaos import flow
from tests.chaos.arena import arena
from tests.chaos.counts import Count
from tests.chaos.roles import Play
from tests.chaos.scene import begin, chain_depends, counts_of, engines, put_up, rest, summed
from tests.chaos.stage import Stage

ENGINES = 2
DOWN_SECONDS = 5.0


def run(stage: Stage) -> list[Count]:
    count = 300 if stage.quick else 10_000
    play = Play(home=stage.folder("f23"), prefix="herd")
    put_up(flow.chain(port=stage.port, name="herd", length=1))
    with arena(play, port=stage.port, seed=stage.seed) as ring:
        ids = begin(count, flow_name="herd", prefix="herd")
        ring.mood(down=True)
        engines(ring, ENGINES)
        time.sleep(DOWN_SECONDS)
        began = time.monotonic()
        ring.mood(slowest=0.02)
        rest(ring, ids, within=600)
        drained = time.monotonic() - began
        most = ring.mood().get("/keyed", 0)
        counts = counts_of(stage, play, ids, depends=chain_depends(1))
        ended = Instance.objects.filter(status="success").count()
        connections.close_all()
    cap = ENGINES * HttpExecutor.max_in_flight
    said = (
        ("of a herd due at once did not end well", count - ended, count, {"drained in s": round(drained, 1)}),
        ("calls at once at the target beyond the limit", max(0, most - cap), most, {"most": most, "limit": cap}),
    )
    rows = [Count(id="F23", what=w, bad=bad, of=of, store=stage.store, figures=figures) for w, bad, of, figures in said]
    return [*rows, *summed("F23", "checks after the herd", counts, of=count, store=stage.store)]
