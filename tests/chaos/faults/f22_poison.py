"""F22 and R10: rows that nobody can read, calls that kill their worker. They are parked; all others go on."""

from __future__ import annotations

import os
import time

from django.db import connection, connections
from django.db.models import Count as CountOf

from execution.models import Attempt, Instance
from retries.models import ExceptionRecord
from tests.chaos import flow
from tests.chaos.arena import Arena, arena
from tests.chaos.counts import Count, percentiles
from tests.chaos.roles import Play
from tests.chaos.scene import begin, chain_depends, counts_of, engines, keep_alive, put_up, rest, summed
from tests.chaos.stage import Stage

CORRUPT = {
    "params": "{broken",
    "version_id": "no such version",
    "error": "[1, 2",
}
MOST_CLAIMS = 3


def run(stage: Stage) -> list[Count]:
    count = 40 if stage.quick else 400
    play = Play(home=stage.folder("f22"), prefix="p")
    put_up(flow.chain(port=stage.port, name="sound", length=1))
    put_up(flow.chain(port=stage.port, name="deadly", path="dead", length=1))
    with arena(play, port=stage.port, seed=stage.seed) as ring:
        engines(ring, 2)
        alone = _timed(ring, count, prefix="alone")
        poison = _corrupt(ring, 3 if stage.quick else 30)
        deadly = begin(2 if stage.quick else 10, flow_name="deadly", prefix="dead")
        ring.mood(kill_when="applied", kill_in=1, kill_of=os.getpid(), kill_path="/dead", kill_again=True)
        beside = _timed(ring, count, prefix="beside")
        rest(ring, [*poison, *deadly], within=90)
        parked = set(Instance.objects.filter(status="failed", needs_attention=True).values_list("id", flat=True))
        often = _claimed_often(poison) + _called_often(deadly)
        told = set(ExceptionRecord.objects.filter(state="open").values_list("instance_id", flat=True))
        ids = [f"{prefix}{number:06}" for prefix in ("alone", "beside") for number in range(count)]
        counts = counts_of(stage, play, ids, depends=chain_depends(1))
        connections.close_all()
    bad = [*poison, *deadly]
    said: tuple[tuple[str, str, int, int], ...] = (
        ("R10", "poison not parked", len(set(bad) - parked), len(bad)),
        ("R10", "poison claimed, or called, more than three times before it was parked", often, len(bad)),
        ("R10", "poison parked without an exception", len(parked & set(bad) - told), len(bad)),
        ("F22", "sound instances that did not go on beside poison", _unsound(ids), len(ids)),
    )
    figures = {f"alone {name}": value for name, value in percentiles(alone).items()} | {
        f"beside {name}": value for name, value in percentiles(beside).items()
    }
    if not stage.quick:  # a short run shares its machine: its times say nothing
        slower = figures["beside p95 s"] > 1.2 * figures["alone p95 s"]
        said = (*said, ("R10", "p95 of others up by more than 20 % beside poison", int(slower), 1))
    rows = [
        Count(id=id_, what=what, bad=bad_, of=of, store=stage.store, figures={} if stage.quick else figures)
        for id_, what, bad_, of in said
    ]
    kept = [each for each in counts if each.id in ("R2", "R3", "R4", "R5")]
    return [*rows, *summed("F22", "checks after poison", kept, of=len(bad), store=stage.store)]


def _timed(ring: Arena, count: int, *, prefix: str) -> list[float]:
    """Seconds from start to end of instances that come a few at a time."""
    ids = []
    for at in range(0, count, 5):
        ids += begin(5, flow_name="sound", prefix=prefix, first=at)
        time.sleep(0.1)
        keep_alive(ring)
    rest(ring, ids, within=90)
    rows = Instance.objects.filter(id__in=ids, completed_at__isnull=False).values_list("created_at", "completed_at")
    found = [(end - start).total_seconds() for start, end in rows if end is not None]
    connections.close_all()
    return found


def _corrupt(ring: Arena, each: int) -> list[str]:
    """Rows that were good when they were started, spoiled before anybody claims them."""
    for child in list(ring.of_role("engine")):
        ring.end([child])
    ids = []
    for number, (column, value) in enumerate(CORRUPT.items()):
        some = begin(each, flow_name="sound", prefix=f"bad{number}-")
        with connection.cursor() as cursor:
            marks = ", ".join(["%s"] * len(some))
            if connection.vendor == "mysql":
                cursor.execute("SET foreign_key_checks = 0")
            if connection.vendor == "postgresql":
                cursor.execute("SET session_replication_role = replica")
            if connection.vendor == "sqlite":
                cursor.execute("PRAGMA foreign_keys = OFF")
            cursor.execute(
                f"UPDATE execution_instance SET {column} = %s WHERE id IN ({marks})",
                [value, *some],
            )
        connections.close_all()
        ids += some
    engines(ring, 2)
    return ids


def _claimed_often(ids: list[str]) -> int:
    """The claim that parks is the one after the third lease ran out."""
    return Instance.objects.filter(id__in=ids, fence__gt=MOST_CLAIMS + 1).count()


def _called_often(ids: list[str]) -> int:
    calls = Attempt.objects.filter(instance_id__in=ids).order_by().values("instance_id").annotate(count=CountOf("id"))
    return calls.filter(count__gt=MOST_CLAIMS).count()


def _unsound(ids: list[str]) -> int:
    done = set(Instance.objects.filter(status="success").values_list("id", flat=True))
    connections.close_all()
    return len(set(ids) - done)
