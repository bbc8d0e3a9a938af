"""F16: a cancel races the end of its instance; a flow is edited while its instances run."""

from __future__ import annotations

import random
import threading
import time

from django.db import connections

from disttask_project.kernel.errors import DisttaskError
from execution.models import Attempt, Instance
from execution.services.acts import cancel
from flows.models import Flow
from flows.services import save_version
from tests.chaos import flow
from tests.chaos.arena import arena
from tests.chaos.counts import Count
from tests.chaos.roles import Play, actor
from tests.chaos.scene import begin, chain_depends, counts_of, engines, put_up, rest, summed
from tests.chaos.stage import Stage

CANCELLERS = 4
LENGTH = 2


def run(stage: Stage) -> list[Count]:
    count = 60 if stage.quick else 1000
    play = Play(home=stage.folder("f16"), prefix="race")
    put_up(flow.chain(port=stage.port, name="raced", length=LENGTH))
    with arena(play, port=stage.port, seed=stage.seed) as ring:
        ring.mood(slowest=0.02)
        engines(ring, 2)
        ring.fork("canceller", _cancel_all)
        ring.fork("editor", lambda _play: _edit(stage.port))
        ids = []
        for at in range(0, count, 20):
            ids += begin(20, flow_name="raced", prefix="race", first=at)
            rest(ring, ids, within=60)
        ring.end([*ring.of_role("canceller"), *ring.of_role("editor")])
        counts = counts_of(stage, play, ids, depends=chain_depends(LENGTH))
        strange = Instance.objects.exclude(status__in=["success", "cancelled"]).count()
        cancelled = Instance.objects.filter(status="cancelled").count()
        moved = _moved()
        connections.close_all()
    versions = Count(
        id="F16", what="instances that left the version they began with", bad=moved, of=count, store=stage.store
    )
    ends = Count(
        id="F16",
        what="cancels racing completion that ended as neither",
        bad=strange,
        of=count,
        store=stage.store,
        figures={"cancelled": cancelled},
    )
    return [ends, versions, *summed("F16", "checks after cancels and edits", counts, of=1, store=stage.store)]


def _cancel_all(_play: Play) -> None:
    """Whatever is under way, by several at once, each as long after it was seen as chance has it."""
    threads = [threading.Thread(target=_cancel_some) for _ in range(CANCELLERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _cancel_some() -> None:
    chance = random.Random()
    while True:
        ids = list(Instance.objects.filter(wake_at__isnull=False).values_list("id", flat=True)[:20])
        for instance_id in chance.sample(ids, min(3, len(ids))):
            time.sleep(chance.uniform(0, 0.05))
            try:
                cancel(instance_id=instance_id, reason="race", actor=actor(), force=chance.random() < 0.3)
            except DisttaskError:
                continue  # it has ended, or another was faster
        time.sleep(0.05)


def _edit(port: int) -> None:
    """Version n calls `/keyed?v=n`, so that each attempt tells which it followed."""
    while True:
        found = Flow.objects.get(name="raced")
        number = found.latest_number + 1
        try:
            definition = flow.chain(port=port, name="raced", length=LENGTH, path=f"keyed?v={number}")
            save_version(flow_id=found.pk, definition=definition, actor=actor())
        except DisttaskError:
            time.sleep(0.1)
        time.sleep(0.3)


def _moved() -> int:
    numbers = dict(Instance.objects.values_list("id", "version__number"))
    rows = Attempt.objects.values_list("instance_id", "request")
    return sum(
        request is not None and _version_in(request["config"]["url"]) != numbers[instance_id]
        for instance_id, request in rows
    )


def _version_in(url: str) -> int:
    return int(url.partition("?v=")[2] or 1)
