"""F1: killed at every persisted step."""

from __future__ import annotations

import sys

from disttask_project.kernel.actor import system_actor
from flows.services import create_flow
from tests.chaos import flow
from tests.chaos.arena import arena
from tests.chaos.checker import Evidence, check
from tests.chaos.counts import Count
from tests.chaos.kills import Killing
from tests.chaos.roles import Play, lines
from tests.chaos.stage import Stage
from tests.chaos.target import entries


def run(stage: Stage, *, kills: int = 0) -> list[Count]:
    kills = kills or (40 if stage.quick else 200)
    play = Play(home=stage.folder("f1"), prefix=f"s{stage.seed}-")
    with arena(play, port=stage.port, seed=stage.seed) as ring:
        create_flow(definition=flow.definition(port=stage.port), actor=system_actor("chaos"))
        killing = Killing(ring, kills)
        killing.run()
        settled = killing.settle(within=120)
        evidence = Evidence(
            accepted=lines(play.accepted),
            ledger=entries(play.ledger),
            decided=lines(play.decided),
            depends=flow.DEPENDS,
            db_effects=stage.db_effects(),
            most_attempts=1 + int(str(flow.RETRY["max_attempts"])),
        )
        counts = check(evidence, store=stage.store)
    print(f"killed {killing.as_json()}; settled in {settled} s; {ring.surprises[:5]}", file=sys.stderr)
    points = Count(
        id="F1",
        what="kill points after which something was lost, doubled or unrecorded",
        bad=sum(each.bad for each in counts),
        of=killing.killed.total(),
        store=stage.store,
    )
    return [points, *counts]
