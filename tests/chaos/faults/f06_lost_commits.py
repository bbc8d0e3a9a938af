"""F6: COMMIT is executed and its answer lost. Nothing is started twice, no transition is made twice."""

from __future__ import annotations

import time
from urllib.parse import urlsplit

from django.conf import settings
from django.db import connections

from tests.chaos import flow
from tests.chaos.arena import DRIVE, MEND, OPERATE, START, arena
from tests.chaos.counts import Count
from tests.chaos.proxy import Proxy
from tests.chaos.roles import Play, lines
from tests.chaos.scene import counts_of, engines, keep_alive, put_up, rest, summed
from tests.chaos.stage import Stage, free_port

SHARE = 0.15
ROLES = {"engine": DRIVE, "starter": START, "operator": OPERATE}


def run(stage: Stage) -> list[Count]:
    wanted = 25 if stage.quick else 400
    play = Play(home=stage.folder("f6"), prefix=f"f6-{stage.seed}-", flow="unheard")
    put_up(flow.definition(port=stage.port, name="unheard"))
    cuts = play.home / "cuts"
    with arena(play, port=stage.port, seed=stage.seed) as ring:
        direct = str(settings.DATABASES["default"]["PORT"] or "")
        through = free_port()
        proxy = Proxy(port=through, server=urlsplit(stage.url).port or 0, share=SHARE, cuts=cuts)
        ring.fork("proxy", lambda _play: proxy.run())
        _connect(str(through))  # what is forked from here on goes through the proxy; the target does not
        engines(ring, 2)
        ring.fork("starter", START)
        ring.fork("operator", OPERATE)
        deadline = time.monotonic() + (90 if stage.quick else 900)
        while len(lines(cuts)) < wanted and time.monotonic() < deadline:
            for child, _ in ring.reap():
                ring.fork(child.role, ROLES[child.role])
            time.sleep(0.05)
        ring.end([*ring.of_role("starter"), *ring.of_role("operator"), *ring.of_role("engine")])
        _connect(direct)
        engines(ring, 2)
        ring.fork("operator", MEND)
        rest(ring, lines(play.accepted), within=120)
        ring.end(ring.of_role("operator"))
        rest(ring, lines(play.accepted), within=60)
        keep_alive(ring)
        counts = counts_of(stage, play)
    lost = len(lines(cuts))
    return summed("F6", "lost answers to COMMIT after which something was wrong", counts, of=lost, store=stage.store)


def _connect(port: str) -> None:
    connections.close_all()
    settings.DATABASES["default"]["PORT"] = port
    connections["default"].settings_dict["PORT"] = port
