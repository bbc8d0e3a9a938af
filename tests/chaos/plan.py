"""What a run consists of: each fault, how often, on which stores."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import Final

from tests.chaos.counts import Count
from tests.chaos.stage import DEFAULT_LEASE

STORES: Final = ("sqlite", "mariadb", "postgres")
SERVERS: Final = ("mariadb", "postgres")
# Where all calls of a target are made to fail, an open breaker would only make the run wait for its probes.
NO_BREAKER: Final = {"DISTTASK_BREAKER_ENABLED": "false"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """`rounds` of the whole run: each has a seed and a fresh store. A quick run has one."""

    id: str
    module: str
    rounds: int = 1
    stores: Sequence[str] = STORES
    lease: float = 2.0
    own_server: bool = False  # it is killed, frozen, starved: `run` gets a server of its own
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def run(self) -> Callable[..., list[Count]]:
        found: Callable[..., list[Count]] = import_module(f"tests.chaos.faults.{self.module}").run
        return found


FAULTS: Final = {
    fault.id: fault
    for fault in (
        Fault(id="F1", module="f01_kills", rounds=5),
        Fault(id="F3", module="f03_roles"),
        Fault(id="F4", module="f04_freeze"),
        Fault(id="F5", module="f05_outages", stores=SERVERS, own_server=True),
        Fault(id="F6", module="f06_lost_commits", stores=SERVERS, lease=5.0),
        Fault(id="F7", module="f07_locks", lease=5.0),
        Fault(id="F8", module="f08_wakeups", lease=5.0),
        Fault(id="F14", module="f14_rivals", lease=10.0),
        Fault(id="F16", module="f16_races", lease=10.0),
        Fault(id="F17", module="f17_clocks", stores=SERVERS, lease=6.0, environment=NO_BREAKER),
        Fault(id="F18", module="f18_hostile", lease=10.0),
        Fault(id="F20", module="f20_full_disk", stores=("sqlite",), lease=5.0),
        Fault(id="F22", module="f22_poison", lease=6.0),
        Fault(id="F23", module="f23_herd", lease=10.0),
        Fault(id="F24", module="f24_upgrade", lease=10.0),
        Fault(id="R9", module="r09_retries", lease=6.0, environment=NO_BREAKER),
        Fault(id="R6", module="r06_recovery", lease=DEFAULT_LEASE),
    )
}
