"""What a run consists of: each fault, how often, on which stores."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Final

from tests.chaos.counts import Count

STORES: Final = ("sqlite", "mariadb", "postgres")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """`rounds` of the whole run: each has a seed and a fresh store. A quick run has one."""

    id: str
    module: str
    rounds: int = 1
    stores: Sequence[str] = STORES
    lease: float = 2.0
    own_server: bool = False  # it is killed, frozen or starved: no other run may be on it

    @property
    def run(self) -> Callable[[Any], list[Count]]:
        found: Callable[[Any], list[Count]] = import_module(f"tests.chaos.faults.{self.module}").run
        return found


FAULTS: Final = {fault.id: fault for fault in (Fault(id="F1", module="f01_kills", rounds=5),)}
