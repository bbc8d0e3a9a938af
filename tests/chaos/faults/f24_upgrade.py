"""F24: an older version and this one work on one database at the same time, and the old one is killed away."""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from pathlib import Path

from django.db import connections

from execution.models import Attempt
from tests.chaos import flow
from tests.chaos.arena import arena
from tests.chaos.counts import Count
from tests.chaos.hosts import ROOT, HostProcess
from tests.chaos.roles import Play
from tests.chaos.scene import begin, counts_of, engines, put_up, rest, summed
from tests.chaos.stage import Stage

# The first form that was whole; `DISTTASK_CHAOS_OLD` names another.
OLD = os.environ.get("DISTTASK_CHAOS_OLD", "e85bc85")


def run(stage: Stage) -> list[Count]:
    count = 60 if stage.quick else 1000
    play = Play(home=stage.folder("f24"), prefix="u")
    put_up(flow.definition(port=stage.port, name="upgraded"))
    with (
        tempfile.TemporaryDirectory(prefix="disttask-chaos-old-") as folder,
        arena(play, port=stage.port, seed=stage.seed) as ring,
    ):
        checkout(Path(folder))
        old = HostProcess("runengine", stage.home, os.environ, checkout=Path(folder))
        try:
            ids = begin(count // 2, flow_name="upgraded", prefix="before")
            if not ring.wait(_has_worked, within=120):
                raise RuntimeError("the old version does nothing: see runengine.log in the home")
            engines(ring, 1)
            for at in range(0, count // 2, 10):
                ids += begin(10, flow_name="upgraded", prefix="beside", first=at)
                time.sleep(0.1)
            rest(ring, ids, within=240)
        finally:
            old.stop()
        rest(ring, ids, within=60)
        counts = counts_of(stage, play, ids)
    what = "instances in flight under two versions after which something was wrong"
    return summed("F24", what, counts, of=len(ids), store=stage.store)


def _has_worked() -> bool:
    found = Attempt.objects.exists()
    connections.close_all()
    return found


def checkout(folder: Path) -> None:
    """The old version's files; its environment is this one's."""
    archive = subprocess.run(["git", "archive", OLD], cwd=ROOT, stdout=subprocess.PIPE, check=True)
    subprocess.run(["tar", "-x", "-C", str(folder)], input=archive.stdout, check=True)
