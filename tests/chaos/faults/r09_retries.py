"""R9 and R11: retries come when they were said to, attempts are counted across deaths, starts take effect at once."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db import connections

from disttask_project.kernel import json
from execution.models import Attempt, ExecutionLog, Instance
from tests.chaos import flow
from tests.chaos.arena import Arena, arena
from tests.chaos.counts import Count, percentiles
from tests.chaos.roles import Play
from tests.chaos.scene import begin, chain_depends, counts_of, engines, keep_alive, put_up, rest, summed
from tests.chaos.stage import Stage
from tests.chaos.target import entries

MOST_ATTEMPTS = 4
RETRY = {"strategy": "auto", "max_attempts": MOST_ATTEMPTS - 1, "interval": 1, "backoff_rate": 2}
EFFECT_SECONDS = 0.1
EARLY = 0.05  # between the clock that said it and the one that wrote it


def run(stage: Stage) -> list[Count]:
    count = 20 if stage.quick else 200
    play = Play(home=stage.folder("r9"), prefix="r")
    put_up(flow.chain(port=stage.port, name="refused", length=1, retry=RETRY))
    put_up(flow.chain(port=stage.port, name="counted", length=1, path="dead", retry=RETRY))
    put_up(flow.chain(port=stage.port, name="prompt", length=1))
    with arena(play, port=stage.port, seed=stage.seed) as ring:
        engines(ring, 2)
        ring.mood(down=True)
        refused = begin(count, flow_name="refused", prefix="refused")
        rest(ring, refused, within=120)
        late = lateness(refused)
        ring.mood(kill_when="applied", kill_in=2, kill_of=os.getpid(), kill_path="/dead", kill_again=True)
        counted = begin(count, flow_name="counted", prefix="counted")
        rest(ring, counted, within=180)
        ring.mood()
        prompt = _prompt(ring, play, count)
        tried = [Attempt.objects.filter(instance_id=each).count() for each in (*refused, *counted)]
        counts = counts_of(stage, play, [*refused, *counted], depends=chain_depends(1))
        connections.close_all()
    late_most = [max(1.0, 0.1 * planned) for _, planned in late]
    said = [
        ("R9", "retries before their time", sum(each < -EARLY for each, _ in late), len(late)),
        (
            "R9",
            "tasks with more attempts than allowed, deaths counted",
            sum(n > MOST_ATTEMPTS for n in tried),
            len(tried),
        ),
        ("R11", "prompt starts that had no effect", count - len(prompt), count),
    ]
    if not stage.quick:  # a short run shares its machine: there nothing is late
        beyond = sum(each > most for (each, _), most in zip(late, late_most, strict=True))
        said += [
            ("R9", "retries later than said by more than a second and 10 %", beyond, len(late)),
            ("R11", "start to first effect: p95 above 100 ms", int(percentiles(prompt)["p95 s"] > EFFECT_SECONDS), 1),
        ]
    rows = [
        Count(id=id_, what=what, bad=bad, of=of, store=stage.store, figures=percentiles(prompt) if id_ == "R11" else {})
        for id_, what, bad, of in said
    ]
    kept = [each for each in counts if each.id in ("R1", "R2", "R3", "R4", "R5")]
    return [*rows, *summed("R9", "checks after refusals and deaths", kept, of=len(tried), store=stage.store)]


def lateness(ids: Sequence[str]) -> list[tuple[float, float]]:
    """(lateness, planned wait) in seconds of every retry, from the log: what was said, and when it began."""
    found = []
    rows = ExecutionLog.objects.filter(instance_id__in=ids, action__in=["retry", "start"]).exclude(task_id="")
    said: dict[str, tuple[datetime, datetime]] = {}
    for instance_id, action, raw, at in rows.order_by("instance_id", "seq").values_list(
        "instance_id", "action", "details", "created_at"
    ):
        details: Any = json.loads_stored(raw) if isinstance(raw, str) else raw
        if action == "retry":
            said[instance_id] = (datetime.fromisoformat(details["next_at"]), at)
        elif instance_id in said:
            due, since = said.pop(instance_id)
            found.append(((at - due).total_seconds(), (due - since).total_seconds()))
    return found


def _prompt(ring: Arena, play: Play, count: int) -> list[float]:
    """One at a time, a moment after the other, so that an awake driver is idle."""
    ids = []
    for number in range(count):
        ids += begin(1, flow_name="prompt", prefix="prompt", first=number)
        time.sleep(0.05)
        keep_alive(ring)
    rest(ring, ids, within=60)
    began = dict(Instance.objects.filter(id__in=ids).values_list("id", "created_at"))
    connections.close_all()
    came = {entry["key"].partition(":")[0]: entry["at"] for entry in reversed(entries(play.ledger))}
    return [came[each] - began[each].timestamp() for each in ids if each in came]
