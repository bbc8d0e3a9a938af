"""F5: the database is restarted, killed, frozen, or takes no connections, while instances run."""

from __future__ import annotations

import time

from django.db import DatabaseError, connections

from execution.models import Instance
from tests.chaos import flow
from tests.chaos.arena import START, Arena, arena
from tests.chaos.counts import Count, percentiles
from tests.chaos.roles import Play, lines
from tests.chaos.scene import counts_of, engines, keep_alive, put_up, rest, summed
from tests.chaos.servers import Server
from tests.chaos.stage import Stage

BACK_SECONDS = 15.0
PATIENCE = 120.0
OUTAGES = ("kill", "restart", "freeze", "refuse")


def run(stage: Stage, server: Server) -> list[Count]:
    outages = 4 if stage.quick else 20
    play = Play(home=stage.folder("f5"), prefix=f"f5-{stage.seed}-", flow="outage", outstanding=40)
    put_up(flow.definition(port=stage.port, name="outage"))
    back: list[float] = []
    with arena(play, port=stage.port, seed=stage.seed) as ring:
        engines(ring, 2)
        ring.fork("starter", START)
        for number in range(outages):
            _live(ring, ring.chance.uniform(1, 3) if stage.quick else ring.chance.uniform(2, 8))
            _outage(server, OUTAGES[number % len(OUTAGES)], ring)
            back.append(_until_progress(ring))
        ring.end(ring.of_role("starter"))
        rest(ring, lines(play.accepted), within=120)
        counts = counts_of(stage, play)
    # A quick run shares its machine with other tests: there only what never comes back counts.
    late = sum(each > (PATIENCE if stage.quick else BACK_SECONDS) for each in back)
    away = Count(
        id="R6",
        what="outages of the database not followed by progress" + ("" if stage.quick else " within 15 s"),
        bad=late,
        of=len(back),
        store=stage.store,
        figures=percentiles(back),
    )
    return [away, *summed("F5", "outages after which something was wrong", counts, of=len(back), store=stage.store)]


def _live(ring: Arena, seconds: float) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        _keep(ring)
        time.sleep(0.1)


def _keep(ring: Arena) -> None:
    for child, _ in ring.reap():
        if child.role == "starter":
            ring.fork("starter", START)
        else:
            engines(ring, 1)


def _outage(server: Server, kind: str, ring: Arena) -> None:
    """When this returns the server answers again."""
    connections.close_all()
    down = ring.chance.uniform(0.2, 2)
    if kind == "freeze":
        server.freeze()
        time.sleep(down + 2.5)  # past the leases
        server.thaw()
        return
    if kind == "kill":
        server.kill()
    else:
        server.stop()
    if kind == "refuse":
        server.start("max_connections=" + ("10" if server.kind == "mariadb" else "5"))
        time.sleep(down + 1)
        server.stop()
    time.sleep(down)
    server.start()


def _until_progress(ring: Arena) -> float:
    """Seconds from the server's first answer to the first instance that ends."""
    began = time.monotonic()
    before: int | None = None
    while time.monotonic() - began < PATIENCE + 5:
        _keep(ring)
        try:
            ended = Instance.objects.filter(status="success").count()
        except DatabaseError:
            ended = None
        finally:
            connections.close_all()
        if ended is not None and before is not None and ended > before:
            break
        before = ended if before is None else before
        time.sleep(0.1)
    keep_alive(ring)
    return time.monotonic() - began
