"""The journal: one thread that commits what all instances of a driver have to write, in groups (architecture 4.5).

The next group gathers while one commit is in flight, so groups grow with the load and nobody waits for a timer.
"""

from __future__ import annotations

import random
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from enum import Enum

import structlog

from execution.engine.change import fold
from execution.engine.settings import EngineSettings
from execution.engine.sizes import rough_size
from execution.engine.state import Unit
from execution.stores.base import RecordRefused, Store, StoreUnavailable

log = structlog.get_logger(__name__)


class Fate(Enum):
    """What became of a unit."""

    COMMITTED = "committed"
    LOST = "lost"  # the fence is somebody else's: nothing of it was written
    REFUSED = "refused"  # the database will never take it


Then = Callable[[Fate], None]
Deliver = Callable[[Sequence[tuple[Then, Fate]]], None]


class Entry:
    """The unit of one instance in a group, and whom to tell."""

    __slots__ = ("size", "thens", "unit")

    def __init__(self, unit: Unit, then: Then) -> None:
        self.unit = unit
        self.thens = [then]
        self.size = rough_size(unit)

    def takes(self, later: Entry) -> bool:
        """Whether the later unit of the same instance may be folded into this one."""
        return self.unit.fence == later.unit.fence and self.unit.rev == later.unit.base_rev

    def add(self, later: Entry) -> None:
        self.unit = fold(self.unit, later.unit)
        self.thens += later.thens
        self.size += later.size


class Journal:
    """`submit` from the loop's thread; `deliver` is called on the journal's, once a group, with all answers."""

    def __init__(self, store: Store, settings: EngineSettings, deliver: Deliver) -> None:
        self._store = store
        self._settings = settings
        self._deliver = deliver
        self._pending: deque[Entry] = deque()
        self._changed = threading.Condition()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
        self.healthy = True  # False while the store does not answer: nothing new is claimed then
        self.groups = 0
        self.records = 0

    def start(self) -> None:
        self._thread.start()

    def submit(self, unit: Unit, then: Then) -> None:
        entry = Entry(unit, then)
        with self._changed:
            self._pending.append(entry)
            self._changed.notify()

    def stop(self, timeout: float) -> bool:
        """Write what is pending and end. False: the store did not answer in time, so it stays unwritten."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _run(self) -> None:
        try:
            while group := self._gather():
                started = time.monotonic()
                self._commit(group)
                self._let_others_write(time.monotonic() - started)
        finally:
            self._store.close()

    def _let_others_write(self, took: float) -> None:
        """On a store with one writer at a time, starters and operators need their turn."""
        if self._store.shares_one_writer:
            time.sleep(min(took, 0.1))

    def _gather(self) -> list[Entry]:
        """All that is pending, within the limits of a group; empty once stopped."""
        with self._changed:
            while not self._pending and not self._stopping:
                self._changed.wait()
            group: dict[str, Entry] = {}
            size = 0
            while self._pending and len(group) < self._settings.group_records:
                entry = self._pending[0]
                if group and size + entry.size > self._settings.group_bytes:
                    break
                before = group.get(entry.unit.instance_id)
                if before is None:
                    group[entry.unit.instance_id] = entry
                elif before.takes(entry):
                    before.add(entry)
                else:
                    break
                size += entry.size
                self._pending.popleft()
            return list(group.values())

    def _commit(self, group: Sequence[Entry]) -> None:
        try:
            self._apply(group)
        except RecordRefused as error:
            reason = first_line(error)
        else:
            return
        if len(group) > 1:
            # The rest must not suffer for one bad record: halve until it stands alone.
            middle = len(group) // 2
            self._commit(group[:middle])
            self._commit(group[middle:])
            return
        log.error("record_refused", instance_id=group[0].unit.instance_id, error=reason)
        self._settle(group, {}, Fate.REFUSED)

    def _apply(self, group: Sequence[Entry]) -> None:
        """Until the store has answered for every entry. Raises `RecordRefused`: none of them is written."""
        left = list(group)
        tries = 0
        in_doubt = False
        while left:
            try:
                if in_doubt:
                    left = self._read_back(left)
                    in_doubt = False
                    continue
                lost = self._store.apply([entry.unit for entry in left])
            except StoreUnavailable as error:
                in_doubt = in_doubt or error.commit_sent
                tries += 1
                self._wait(tries, error)
                continue
            if not self.healthy:
                log.info("journal_recovered", tries=tries, records=len(left))
            self.healthy = True
            self.groups += 1
            self.records += len(left)
            self._settle(left, dict.fromkeys(lost, Fate.LOST), Fate.COMMITTED)
            return

    def _read_back(self, group: Sequence[Entry]) -> list[Entry]:
        """COMMIT was sent and its answer lost. New position: committed; old: again; any other: another's fence."""
        found = self._store.positions([entry.unit.instance_id for entry in group])
        done: list[Entry] = []
        again: list[Entry] = []
        fates: dict[str, Fate] = {}
        for entry in group:
            unit = entry.unit
            position = found.get(unit.instance_id)
            if position == (unit.fence, unit.base_rev):
                again.append(entry)
                continue
            done.append(entry)
            fates[unit.instance_id] = Fate.COMMITTED if position == (unit.fence, unit.rev) else Fate.LOST
        log.warning("commit_read_back", committed=len(done), again=len(again))
        # Perhaps nothing is left to write, now or ever: who holds nothing must claim again.
        self.healthy = True
        self._settle(done, fates, Fate.LOST)
        return again

    def _settle(self, group: Sequence[Entry], fates: dict[str, Fate], otherwise: Fate) -> None:
        told = [(then, fates.get(entry.unit.instance_id, otherwise)) for entry in group for then in entry.thens]
        if told:
            self._deliver(told)

    def _wait(self, tries: int, error: StoreUnavailable) -> None:
        if self.healthy or tries % 20 == 0:
            log.warning("journal_waits", tries=tries, commit_sent=error.commit_sent, error=first_line(error))
        self.healthy = False
        longest = min(self._settings.backoff_most, self._settings.backoff_first * 2 ** min(tries, 10))
        time.sleep(longest * random.uniform(0.5, 1.0))  # noqa: S311  spreads writers, guards nothing


def first_line(error: Exception) -> str:
    """What a database says after the first line may quote the row, and rows hold payloads."""
    return str(error).partition("\n")[0][:300]
