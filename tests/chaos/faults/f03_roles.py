"""F3, R6 and R7: each role of a real cluster is killed; time to the next progress, and to a cluster that answers."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime

from django.db import connections

from execution.models import EngineSession, Instance
from tests.chaos import flow
from tests.chaos.arena import START, Arena, arena
from tests.chaos.counts import Count, percentiles
from tests.chaos.hosts import HostProcess
from tests.chaos.roles import Play, lines
from tests.chaos.scene import counts_of, put_up, resting, summed
from tests.chaos.stage import Stage

ROLES = ("worker busy", "monitor", "guard", "supervisor", "pusher", "worker idle", "main")
MOST_SECONDS = 60.0
WEDGED_SECONDS = 30.0
PATIENCE = 120.0  # after which nobody waits any longer


@dataclass
class Clock:
    """Seconds from each kill to progress, and to a canary that was sent after it and answered."""

    progress: list[float] = field(default_factory=list)
    answers: list[float] = field(default_factory=list)
    killed: dict[str, int] = field(default_factory=dict)


def run(stage: Stage) -> list[Count]:
    return play_roles(stage, kills=2 if stage.quick else 35, fault="F3", p99=MOST_SECONDS)


def play_roles(stage: Stage, *, kills: int, fault: str, p99: float) -> list[Count]:
    play = Play(home=stage.folder(fault.lower()), prefix=f"{fault.lower()}-{stage.seed}-", flow="roles", outstanding=15)
    put_up(flow.definition(port=stage.port, name="roles"))
    clock = Clock()
    with arena(play, port=stage.port, seed=stage.seed) as ring:
        ring.mood(slowest=0.3)
        host = HostProcess("runcluster", stage.home, os.environ)
        try:
            ring.fork("starter", START)
            if not ring.wait(lambda: _since(0.0), within=180):
                raise RuntimeError("the cluster does not come up")
            for number in range(kills):
                _kill(ring, host, ROLES[(number + stage.seed) % len(ROLES)], clock)
            ring.end(ring.of_role("starter"))
            ids = lines(play.accepted)
            ring.wait(lambda: _revived(host) and resting(ids), within=180, every=0.5)
        finally:
            host.stop()
        orphans = len(host.left())
        counts = counts_of(stage, play)
    killed = sum(clock.killed.values())
    # A quick run shares its machine with other tests: there only what never comes back counts.
    most, wedge = (PATIENCE, PATIENCE) if stage.quick else (MOST_SECONDS, WEDGED_SECONDS)
    late = sum(each > most for each in clock.progress)
    late += not stage.quick and percentiles(clock.progress).get("p99 s", 0) > p99
    wedged = sum(each > wedge for each in clock.answers)
    said = (
        ("R6", "kills of a role not followed by progress in time", late, killed, percentiles(clock.progress)),
        ("R7", "clusters that answered no canary for longer than 30 s", wedged, killed, percentiles(clock.answers)),
        (fault, "processes left when all was stopped", orphans, killed, clock.killed),
    )
    rows = [
        Count(id=i, what=what, bad=bad, of=of, store=stage.store, figures=figures) for i, what, bad, of, figures in said
    ]
    return [*rows, *summed(fault, "roles killed after which something was wrong", counts, of=killed, store=stage.store)]


def _kill(ring: Arena, host: HostProcess, role: str, clock: Clock) -> None:
    """One process of that role, once there is one; then wait for what must come back."""
    if not ring.wait(lambda: _revived(host) and role in host.by_role(), within=120):
        return
    pids = host.by_role().get(role)
    if not pids:
        return  # it has ended, or taken up work, since
    pid = ring.chance.choice(pids)
    held = dict(Instance.objects.exclude(owner="").values_list("id", "rev"))
    connections.close_all()
    at, began = time.time(), time.monotonic()
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    clock.killed[role] = clock.killed.get(role, 0) + 1
    ring.wait(lambda: _revived(host) and _since(at) and _moved(held), within=PATIENCE + 5, every=0.1)
    clock.progress.append(time.monotonic() - began)
    ring.wait(lambda: _revived(host) and _answered(at), within=PATIENCE + 5, every=0.2)
    clock.answers.append(time.monotonic() - began)


def _revived(host: HostProcess) -> bool:
    host.revive()
    return True


def _since(at: float) -> bool:
    """Something that was started after that moment has ended well."""
    return Instance.objects.filter(status="success", created_at__gt=datetime.fromtimestamp(at, UTC)).exists()


def _moved(held: dict[str, int]) -> bool:
    now = dict(Instance.objects.filter(id__in=list(held)).values_list("id", "rev"))
    return all(now[instance_id] > rev for instance_id, rev in held.items())


def _answered(at: float) -> bool:
    ready = EngineSession.objects.filter(state="ready", heartbeat_at__gt=datetime.fromtimestamp(at, UTC))
    return ready.exists()
