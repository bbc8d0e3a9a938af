"""R6 at default settings: the lease of 30 s decides how long what a dead process held stands still."""

from __future__ import annotations

from tests.chaos.counts import Count
from tests.chaos.faults.f03_roles import play_roles
from tests.chaos.stage import Stage


def run(stage: Stage) -> list[Count]:
    return [
        each
        for each in play_roles(stage, kills=2 if stage.quick else 50, fault="R6", p99=35.0)
        if each.id in ("R1", "R2", "R3", "R6", "R7")
    ]
