"""The engine's modules on virtual threads and clocks, as long as the block lasts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any, NoReturn

from greenlet import GreenletExit

from execution.engine import (
    calls,
    clock,
    driver,
    gates,
    instances,
    journal,
    leases,
    owned,
    pools,
    refused,
    steward,
    sweeper,
    targets,
)
from tests.fakes.clock import START
from tests.simulation.history import Violation
from tests.simulation.machine import Threads

TICK = 1.0  # a driver shows less often that it lives: nothing would happen in between
LOOK = 4.0  # seconds between a driver's looks at targets, where none is limited


class _Calendar:
    """Of a host, which may be wrong."""

    @staticmethod
    def now(_zone: Any) -> datetime:
        process = Threads.machine.process
        return START + timedelta(seconds=Threads.machine.time + process.skew)


class _System:
    @staticmethod
    def _exit(code: int) -> NoReturn:
        machine = Threads.machine
        machine.kill(machine.process, f"by itself, {code}")
        raise GreenletExit


class _Connections:
    @staticmethod
    def close_all() -> None: ...


class Log:
    """Into the trace. What the engine calls a surprise is a violation: nothing here should surprise it."""

    notes: Any = None

    def info(self, event: str, **values: Any) -> None:
        if Log.notes is not None:
            Log.notes(event, values)

    warning = error = critical = info

    def exception(self, event: str, **values: Any) -> NoReturn:
        raise Violation(f"{event} {values}")


_LOG = Log()
_MODULES: tuple[tuple[Any, tuple[str, ...]], ...] = (
    (calls, ("time", "log")),
    (clock, ("time", "datetime")),
    (driver, ("time", "log", "TICK")),
    (gates, ("random",)),
    (instances, ("time", "log")),
    (journal, ("time", "threading", "random", "log")),
    (leases, ("time", "threading", "os", "log")),
    (owned, ("time",)),
    (pools, ("queue", "threading", "connections")),
    (refused, ("log",)),
    (steward, ("queue", "threading", "log")),
    (sweeper, ("time", "queue", "threading", "log")),
    (targets, ("time", "LOOK_IDLE")),
)


@contextmanager
def virtual_engine(random: Any, *, look: float = LOOK) -> Iterator[None]:
    """Every random number of the engine's own comes from `random` too."""
    parts = {
        "time": Threads,
        "threading": Threads,
        "queue": Threads,
        "random": random,
        "datetime": _Calendar,
        "connections": _Connections,
        "os": _System,
        "log": _LOG,
        "TICK": TICK,
        "LOOK_IDLE": look,
    }
    before = [(module, name, getattr(module, name)) for module, names in _MODULES for name in names]
    for module, name, _ in before:
        setattr(module, name, parts[name])
    try:
        yield
    finally:
        for module, name, value in before:
            setattr(module, name, value)
