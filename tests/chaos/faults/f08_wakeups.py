"""F8: wake-ups are lost, come ten times, late, or out of order. Only latency changes."""

from __future__ import annotations

import os
import time
from functools import partial

from tests.chaos import flow
from tests.chaos.arena import arena
from tests.chaos.counts import Count
from tests.chaos.hosts import HostProcess
from tests.chaos.roles import Play
from tests.chaos.scene import begin, counts_of, put_up, resting, summed
from tests.chaos.stage import Stage

MODES = ("drop", "double", "shuffle", "delay")


def run(stage: Stage) -> list[Count]:
    count = 30 if stage.quick else 250
    modes = MODES[:2] if stage.quick else MODES
    play = Play(home=stage.folder("f8"), prefix="w")
    put_up(flow.definition(port=stage.port, name="woken"))
    ids: list[str] = []
    took: dict[str, float] = {}
    with arena(play, port=stage.port, seed=stage.seed) as ring:
        for mode in modes:
            environment = {
                **os.environ,
                "DISTTASK_CHAOS_QUEUE": mode,
                "DJANGO_SETTINGS_MODULE": "tests.chaos.queue_settings",
            }
            began = time.monotonic()
            host = HostProcess("runcluster", stage.home, environment)
            try:
                ids += _drip(count, prefix=mode)
                ring.wait(partial(resting, ids), within=240, every=0.3)
                took[f"{mode} s"] = round(time.monotonic() - began, 1)
            finally:
                host.stop()
        counts = counts_of(stage, play, ids)
    what = "instances whose wake-ups were lost, doubled, late or shuffled, after which something was wrong"
    return summed("F8", what, counts, of=len(ids), store=stage.store, **took)


def _drip(count: int, *, prefix: str) -> list[str]:
    """A third at once, a third a few at a time, the last after a pause in which the session has gone to sleep."""
    third = count // 3
    ids = begin(third, flow_name="woken", prefix=prefix)
    for at in range(third, 2 * third, 5):
        ids += begin(5, flow_name="woken", prefix=prefix, first=at)
        time.sleep(0.1)
    time.sleep(2)
    return ids + begin(third, flow_name="woken", prefix=f"{prefix}-late")
