"""F17: hosts whose clocks are an hour off, are set back and forth, or stand at the end of summer time (libfaketime).

What counts is the database's time and each host's monotonic clock, so a wrong clock changes nothing. On SQLite the
database's time is the one host's own: there nobody's clock can differ from another's.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Final

from django.db import connections
from django.db.models import F, Q

from execution.engine.loading import current_store
from execution.models import Attempt, Instance
from tests.chaos import flow
from tests.chaos.arena import Arena, arena
from tests.chaos.counts import Count
from tests.chaos.faults.r09_retries import lateness
from tests.chaos.hosts import HostProcess
from tests.chaos.roles import Play
from tests.chaos.scene import begin, chain_depends, counts_of, put_up, resting, summed
from tests.chaos.stage import Stage

RETRY: Final = {"strategy": "auto", "max_attempts": 9, "interval": 1, "backoff_rate": 2, "max_interval": 4}
EARLY: Final = 1.0  # seconds, the threshold of quality.md's catalogue
STEPS: Final = ("+0", "-600", "+3600", "-5", "+0")  # of the host whose clock is set while it works
LONGEST_MS: Final = 60_000
HOUR: Final = 3600
SLACK: Final = timedelta(seconds=2)


def library() -> Path | None:
    """The form for programs with threads; None: it is not installed."""
    found = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
    return found[0] if found else None


def run(stage: Stage) -> list[Count]:
    count = 40 if stage.quick else 400
    play = Play(home=stage.folder("f17"), prefix="c")
    put_up(flow.chain(port=stage.port, name="skewed", length=2, retry=RETRY))
    since = _database_time()
    with arena(play, port=stage.port, seed=stage.seed) as ring, _hosts(stage, play.home) as hosts:
        ids = _work_through(ring, hosts, play.home / "clock", count)
        surprises = [host.command for host in hosts if not host.alive]
        counts = counts_of(stage, play, ids, depends=chain_depends(2))
        counts += _own_counts(stage, ids, since=since, dead=len(surprises), hosts=len(hosts))
        workers = Attempt.objects.values("worker").distinct().count()
        connections.close_all()
    what = "instances driven by hosts with wrong clocks after which something was wrong"
    return summed("F17", what, counts, of=len(ids), store=stage.store, hosts=workers)


@contextmanager
def _hosts(stage: Stage, folder: Path) -> Iterator[list[HostProcess]]:
    """An hour behind, an hour ahead, one that will be set, and one at the hour that comes twice."""
    found = library()
    assert found is not None, "libfaketime is not installed (Debian: faketime)"
    _set(folder / "clock", STEPS[0])
    clocks = (
        {"FAKETIME": "-1h"},
        {"FAKETIME": "+1h"},
        {"FAKETIME_TIMESTAMP_FILE": str(folder / "clock"), "FAKETIME_CACHE_DURATION": "1"},
        {"FAKETIME": "@2026-10-25 02:59:50", "TZ": "Europe/Berlin"},
    )
    hosts: list[HostProcess] = []
    try:
        for number, clock in enumerate(clocks):
            wrong = os.environ | {"LD_PRELOAD": str(found), "FAKETIME_DONT_FAKE_MONOTONIC": "1"} | clock
            if "FAKETIME" in clock:
                _check_is_wrong(wrong)
            hosts.append(HostProcess("runengine", stage.folder(f"f17-host-{number}"), wrong))
        yield hosts
    finally:
        for host in hosts:
            host.stop()


def _check_is_wrong(environment: Mapping[str, str]) -> None:
    """Its clock is off and its monotonic clock is not: else the run would prove nothing."""
    asked = [sys.executable, "-c", "import time; print(time.time(), time.monotonic())"]
    told = subprocess.run(asked, env=dict(environment), stdout=subprocess.PIPE, text=True, check=True).stdout.split()
    if abs(float(told[0]) - time.time()) < HOUR - 60 or abs(float(told[1]) - time.monotonic()) > 60:
        raise RuntimeError(f"the host's clocks are not as wrong as they should be: {told}")


def _work_through(ring: Arena, hosts: Sequence[HostProcess], clock: Path, count: int) -> list[str]:
    """A part at each setting of the clock; the targets are away at the beginning of each, so that retries come."""
    ids: list[str] = []
    share = -(-count // len(STEPS))
    for number, step in enumerate(STEPS):
        _set(clock, step)
        ring.mood(down=True)
        ids += begin(share, flow_name="skewed", prefix=f"c{number}-")
        ring.wait(partial(_is_refused, ids[-1]), within=60)
        ring.mood()
        ring.wait(partial(resting, ids), within=60, every=0.3)
        if not all(host.alive for host in hosts):
            break
    return ids


def _set(clock: Path, step: str) -> None:
    """In one move: a host may read it at any moment."""
    new = clock.with_suffix(".new")
    new.write_text(step + "\n")
    new.replace(clock)


def _is_refused(instance_id: str) -> bool:
    found = Attempt.objects.filter(instance_id=instance_id, status="failed").exists()
    connections.close_all()
    return found


def _database_time() -> datetime:
    found = current_store().now()
    connections.close_all()
    return found


def _own_counts(stage: Stage, ids: Sequence[str], *, since: datetime, dead: int, hosts: int) -> list[Count]:
    attempts = Attempt.objects.filter(instance_id__in=ids)
    instances = Instance.objects.filter(pk__in=ids)
    waits = lateness(ids)
    until = _database_time() + SLACK
    outside = Q(started_at__lt=since - SLACK) | Q(ended_at__gt=until) | Q(ended_at__lt=F("started_at"))
    foreign = Q(created_at__lt=since - SLACK) | Q(completed_at__gt=until) | Q(completed_at__lt=F("created_at"))
    said = [
        ("retries earlier than said by more than a second", sum(late < -EARLY for late, _ in waits), len(waits)),
        ("calls whose lease was taken from a living host", attempts.filter(status="unknown").count(), attempts.count()),
        ("attempts at times that the database never had", attempts.filter(outside).count(), attempts.count()),
        ("instances at times that the database never had", instances.filter(foreign).count(), instances.count()),
        (
            "durations below nothing or above a minute",
            attempts.filter(Q(duration_ms__lt=0) | Q(duration_ms__gt=LONGEST_MS)).count(),
            attempts.count(),
        ),
        ("hosts that ended because of their clock", dead, hosts),
    ]
    return [Count(id="F17", what=what, bad=bad, of=of, store=stage.store) for what, bad, of in said]
