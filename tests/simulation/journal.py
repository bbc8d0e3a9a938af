"""A driver's journal in virtual time (architecture 4.5): groups of units, one commit in flight, many faults."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from execution.engine import core
from execution.engine.state import InstanceState, PlannedCall, Unit
from execution.stores.base import RecordRefused

if TYPE_CHECKING:
    from tests.simulation.driver import Driver


@dataclass(slots=True, eq=False)
class Held:
    """An instance this driver believes to own."""

    state: InstanceState
    deadline: float
    released: bool = False
    dropped: bool = False
    tick_at: float = 0.0
    using: set[tuple[str, int]] = field(default_factory=set)  # slots: one for every attempt begun and not ended


@dataclass(slots=True, eq=False)
class Entry:
    """What is to be written of one instance, and the calls that wait for it."""

    held: Held
    unit: Unit
    calls: list[PlannedCall] = field(default_factory=list)


class Journal:
    def __init__(self, driver: Driver) -> None:
        self._driver = driver
        self._world = driver.world
        self._pending: dict[str, Entry] = {}
        self._queue: list[list[Entry]] = []  # groups still to be written, halves of a refused one
        self._busy = False
        self.healthy = True

    @property
    def is_idle(self) -> bool:
        return not (self._busy or self._pending)

    def submit(self, entry: Entry) -> None:
        held = entry.held
        before = self._pending.get(held.state.id)
        if before is not None and before.held is held:
            before.unit = core.fold(before.unit, entry.unit)
            before.calls += entry.calls
        else:
            self._pending[held.state.id] = entry
        if not self._busy:
            self._driver.later(0.001, self._flush)

    def forget(self, held: Held) -> None:
        entry = self._pending.get(held.state.id)
        if entry is not None and entry.held is held:
            del self._pending[held.state.id]

    def _flush(self) -> None:
        if self._busy or not self._pending:
            return
        ids = sorted(self._pending)
        if self._world.fails(0.2):
            ids = ids[: self._world.rng.randint(1, len(ids))]
        self._busy = True
        self._queue = [[self._pending.pop(instance_id) for instance_id in ids]]
        self._driver.later(0.005, self._send)

    def _send(self) -> None:
        """The group leaves; from here on the database may take it whatever becomes of this process."""
        group = [entry for entry in self._queue[0] if not entry.held.dropped]
        fault = self._world.commit_fault()
        self._world.at(self._world.latency(), self._reach_store, group, fault)

    def _reach_store(self, group: list[Entry], fault: str) -> None:
        world, name = self._world, self._driver.name
        lost: set[str] = set()
        result = "done unseen" if fault == "unseen" else fault or "done"
        if fault not in ("fails", "fails unseen"):
            units = [entry.unit for entry in group]
            try:
                lost = world.store.apply(units, by=name, now=world.now(), refuses=world.refuses)
            except RecordRefused:
                result = "refused"
        world.note(name, "commit", result, [(e.unit.instance_id, e.unit.fence, e.unit.rev) for e in group], lost)
        self._driver.later(world.latency(), self._answered, group, result, lost)

    def _answered(self, group: list[Entry], result: str, lost: set[str]) -> None:
        self.healthy = result in ("done", "refused")
        if result == "fails":
            self._driver.later(0.2, self._send)
        elif result in ("done unseen", "fails unseen"):
            if "lost_answer_means_committed" in self._world.bugs:
                self._settle(group, set())
            else:
                self._driver.later(0.2, self._read_back, group)
        elif result == "refused":
            self._refused(group)
        else:
            self._settle(group, lost)

    def _read_back(self, group: list[Entry]) -> None:
        """Did it commit? The position says new, old, or somebody else's."""
        self.healthy = True
        positions = self._world.store.positions(entry.unit.instance_id for entry in group)
        old = [e for e in group if positions[e.unit.instance_id] == (e.unit.fence, e.unit.base_rev)]
        new = [e for e in group if positions[e.unit.instance_id] == (e.unit.fence, e.unit.rev)]
        lost = {e.unit.instance_id for e in group if e not in old and e not in new}
        if old:
            self._queue.insert(1, old)
        self._settle([entry for entry in group if entry not in old], lost)

    def _refused(self, group: list[Entry]) -> None:
        if len(group) > 1:
            middle = len(group) // 2
            self._queue[1:1] = [group[:middle], group[middle:]]
            self._next()
            return
        self._driver.drop(group[0].held)
        self._next()
        self._driver.park(group[0].held)

    def _settle(self, group: list[Entry], lost: set[str]) -> None:
        for entry in group:
            if entry.unit.instance_id in lost:
                self._driver.drop(entry.held)
            elif not entry.held.dropped:
                self._driver.committed(entry)
        self._next()

    def _next(self) -> None:
        self._queue.pop(0)
        if self._queue:
            self._driver.later(0.005, self._send)
            return
        self._busy = False
        if self._pending:
            self._driver.later(0.001, self._flush)
        else:
            self._driver.written()
