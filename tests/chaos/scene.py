"""What the faults share: flows put up, instances started, a wait until all rest, and the checker's word."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from django.db import DatabaseError, connections

from disttask_project.kernel.errors import DisttaskError
from execution.models import Instance
from execution.services.start import Start, start_instances
from flows.services import create_flow
from tests.chaos import flow
from tests.chaos.arena import DRIVE, Arena
from tests.chaos.checker import Evidence, check, unfinished
from tests.chaos.counts import Count
from tests.chaos.roles import Play, actor, lines
from tests.chaos.stage import Stage
from tests.chaos.target import entries

CHUNK: Final = 100


def put_up(definition: Mapping[str, Any]) -> None:
    create_flow(definition=dict(definition), actor=actor())
    connections.close_all()


def begin(count: int, *, flow_name: str = flow.FLOW, prefix: str = "i", first: int = 0) -> list[str]:
    """Start so many, in bulks; all of them must be accepted."""
    ids = [f"{prefix}{number:06}" for number in range(first, first + count)]
    for at in range(0, count, CHUNK):
        starts = [Start(flow_name=flow_name, params={"order": each}, instance_id=each) for each in ids[at : at + CHUNK]]
        for answer in start_instances(starts=starts, actor=actor()):
            if isinstance(answer, DisttaskError):
                raise answer
    connections.close_all()
    return ids


def engines(arena: Arena, count: int) -> list[int]:
    return [arena.fork("engine", DRIVE) for _ in range(count)]


def keep_alive(arena: Arena) -> int:
    """Fork an engine for each that has died since; how many."""
    dead = [child for child, _ in arena.reap() if child.role == "engine"]
    engines(arena, len(dead))
    return len(dead)


def resting(ids: Sequence[str]) -> bool:
    """False too while the store does not answer."""
    try:
        return not unfinished(ids)
    except DatabaseError:
        connections.close_all()
        return False


def rest(arena: Arena, ids: Sequence[str], *, within: float) -> bool:
    return arena.wait(lambda: keep_alive(arena) >= 0 and resting(ids), within=within, every=0.3)


def counts_of(
    stage: Stage, play: Play, ids: Sequence[str] = (), *, depends: Mapping[str, Sequence[str]] = flow.DEPENDS
) -> list[Count]:
    """The checker's counts; without `ids` for what the starter noted."""
    evidence = Evidence(
        accepted=list(ids) or lines(play.accepted),
        ledger=entries(play.ledger),
        decided=lines(play.decided),
        depends=depends,
        db_effects=stage.db_effects() if depends is flow.DEPENDS else None,
        most_attempts=1 + int(str(flow.RETRY["max_attempts"])),
    )
    found = check(evidence, store=stage.store)
    connections.close_all()
    return found


def summed(fault: str, what: str, counts: Sequence[Count], *, of: int, store: str, **figures: float) -> list[Count]:
    """The fault's own line before the promises': how many were injected, after which something was broken."""
    bad = sum(each.bad for each in counts)
    return [Count(id=fault, what=what, bad=bad, of=of, store=store, figures=figures), *counts]


def chain_depends(length: int) -> dict[str, tuple[str, ...]]:
    return {f"t{number}": (f"t{number - 1}",) if number else () for number in range(length)}


def status_of(instance_id: str) -> str:
    return str(Instance.objects.values_list("status", flat=True).get(pk=instance_id))
