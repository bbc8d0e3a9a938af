"""The store in memory: the meaning of `execution/stores/base.py` to the letter, and a monitor that misses nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from execution.engine.core import SUSPECT
from execution.engine.state import Act, AttemptRow, InstanceState, Unit
from execution.stores.base import Claim, Loaded, RecordRefused
from flows.domain.compiled import CompiledFlow
from tests.fakes.rows import MemoryRows
from tests.simulation.history import Violation
from tests.simulation.shared_targets import MemoryTargets

Refuses = str  # a text in an attempt's response that the database will not take


class Row(MemoryRows):
    """An instance's rows, with its owner."""

    owner: str = ""
    lease_until: datetime | None = None

    def is_held(self, now: datetime) -> bool:
        return bool(self.owner) and self.lease_until is not None and self.lease_until > now

    def unread(self, reason: str) -> Loaded:
        """As a process sees it that has not got its version."""
        flow, self.flow = self.flow, CompiledFlow(name="", tasks={}, dependents={})
        tasks, self.tasks = self.tasks, {}
        try:
            return Loaded(state=self.load(), open_attempts=self.open_attempts, broken=reason)
        finally:
            self.flow, self.tasks = flow, tasks


@dataclass(slots=True)
class Action:
    act: Act
    instance_id: str
    state: str = "asked"


@dataclass
class MemoryStore:
    """`bugs` plants faults of our own, to show that they are seen."""

    bugs: frozenset[str] = frozenset()
    rows: dict[str, Row] = field(default_factory=dict)
    actions: dict[str, Action] = field(default_factory=dict)
    stale: list[AttemptRow] = field(default_factory=list)
    owners: dict[tuple[str, int], str] = field(default_factory=dict)  # the monitor: who was given which fence
    current: dict[str, str] = field(default_factory=dict)  # and who was the last
    claims: int = 0

    def __post_init__(self) -> None:
        self.targets = MemoryTargets(lambda: [row for row in self.rows.values() if row.parked and not row.owner])

    def insert(self, instance_id: str, flow: CompiledFlow, *, deadline: float | None, now: datetime) -> None:
        deadline_at = None if deadline is None else now + timedelta(seconds=deadline)
        self.rows[instance_id] = Row(id=instance_id, flow=flow, params={}, created_at=now, deadline_at=deadline_at)

    def claim(self, owner: str, *, limit: int, struck_limit: int, lease: timedelta, now: datetime) -> Sequence[Claim]:
        due = [row for row in self.rows.values() if self._is_due(row, now)]
        due.sort(key=lambda row: (row.wake_at or now, row.id))
        claims: list[Claim] = []
        for row in _lane(due, struck_limit)[:limit]:
            if row.is_held(now):
                raise Violation(f"{row.id} claimed by {owner} under the live lease of {row.owner}")
            if row.owner and "strikes_not_counted" not in self.bugs:
                row.columns["strikes"] += 1
            row.owner, row.lease_until = owner, now + lease
            row.wake_at = row.lease_until
            self._next_fence(row, owner)
            claims.append(Claim(instance_id=row.id, fence=row.fence, strikes=row.columns["strikes"]))
        self.claims += len(claims)
        return claims

    def has_due(self, now: datetime) -> bool:
        return any(self._is_due(row, now) for row in self.rows.values())

    def _is_due(self, row: Row, now: datetime) -> bool:
        if "live_leases_ignored" in self.bugs and row.owner:
            return True
        if "leases_never_end" in self.bugs and row.owner:
            return False
        return row.wake_at is not None and row.wake_at <= now

    def _next_fence(self, row: Row, owner: str) -> None:
        row.fence += "fence_stays_at_claim" not in self.bugs or row.fence == 0
        if (row.id, row.fence) in self.owners:
            raise Violation(f"{row.id} fence {row.fence} given twice")
        self.owners[row.id, row.fence] = owner
        self.current[row.id] = owner

    def load(self, claims: Sequence[Claim], *, lacks_version: bool = False) -> Sequence[Loaded]:
        kept = [self.rows[claim.instance_id] for claim in claims if self.rows[claim.instance_id].fence == claim.fence]
        if lacks_version:
            return [row.unread("its version is gone") for row in kept]
        return [Loaded(state=row.load(), open_attempts=row.open_attempts) for row in kept]

    def renew(self, owner: str, fences: Mapping[str, int], *, lease: timedelta, now: datetime) -> set[str]:
        lost = set()
        for instance_id, fence in fences.items():
            row = self.rows[instance_id]
            if row.owner != owner or row.fence != fence:
                lost.add(instance_id)
            else:
                row.lease_until = row.wake_at = now + lease
        return lost

    def apply(self, units: Sequence[Unit], *, by: str, now: datetime, refuses: Refuses = "") -> set[str]:
        kept = [unit for unit in units if self._stands(unit)]
        if any(_holds(unit, refuses) for unit in kept):
            raise RecordRefused("a value out of range")
        for unit in kept:
            self._write(unit, by=by, now=now)
        return {unit.instance_id for unit in units} - {unit.instance_id for unit in kept}

    def _stands(self, unit: Unit) -> bool:
        row = self.rows[unit.instance_id]
        return "no_fence_guard" in self.bugs or (row.fence, row.rev) == (unit.fence, unit.base_rev)

    def _write(self, unit: Unit, *, by: str, now: datetime) -> None:
        row = self.rows[unit.instance_id]
        if self.owners.get((unit.instance_id, unit.fence)) != by or self.current[unit.instance_id] != by:
            raise Violation(f"{by} wrote {unit.instance_id} under a stale fence {unit.fence}")
        row.write(unit)
        for verdict in unit.verdicts:
            action = self.actions[verdict.action_id]
            if action.state != "asked":
                raise Violation(f"act {verdict.action_id} decided twice")
            action.state = "done" if verdict.done else "refused"
        if not unit.release:
            return
        row.owner, row.lease_until = "", None
        if "release_forgets_inbox" not in self.bugs and self.open_actions([row.id]).get(row.id):
            row.wake_at = now

    def positions(self, ids: Iterable[str]) -> Mapping[str, tuple[int, int]]:
        return {instance_id: (self.rows[instance_id].fence, self.rows[instance_id].rev) for instance_id in ids}

    def inboxes(self, ids: Iterable[str]) -> Mapping[str, int]:
        return {instance_id: self.rows[instance_id].inbox for instance_id in ids}

    def open_actions(self, instance_ids: Iterable[str]) -> Mapping[str, Sequence[Act]]:
        wanted = set(instance_ids)
        found: dict[str, list[Act]] = {}
        for action in self.actions.values():
            if action.state == "asked" and action.instance_id in wanted:
                found.setdefault(action.instance_id, []).append(action.act)
        return found

    def ask(self, instance_id: str, act: Act) -> bool:
        if self.is_asked(instance_id, act):
            return False
        self.actions[act.action_id] = Action(act=act, instance_id=instance_id)
        self.rows[instance_id].inbox += 1
        return True

    def is_asked(self, instance_id: str, act: Act) -> bool:
        asked = self.open_actions([instance_id]).get(instance_id, ())
        return any((other.act, other.task_id) == (act.act, act.task_id) for other in asked)

    @contextmanager
    def hold(self, instance_id: str, *, owner: str, now: datetime) -> Iterator[Hold | None]:
        row = self.rows[instance_id]
        if row.is_held(now):
            yield None
            return
        if row.owner and "strikes_not_counted" not in self.bugs:
            row.columns["strikes"] += 1
        row.owner, row.lease_until = "", None
        self._next_fence(row, owner)
        yield Hold(store=self, state=row.load(), open_attempts=row.open_attempts, owner=owner, now=now)

    def keep_stale(self, attempt: AttemptRow) -> None:
        self.stale.append(attempt)

    def next_due(self) -> datetime | None:
        return min((row.wake_at for row in self.rows.values() if row.wake_at is not None), default=None)


@dataclass(slots=True)
class Hold:
    store: MemoryStore
    state: InstanceState
    open_attempts: Sequence[AttemptRow]
    owner: str
    now: datetime

    def apply(self, unit: Unit) -> None:
        if self.store.apply([unit], by=self.owner, now=self.now):
            raise Violation(f"{self.owner} lost {unit.instance_id} while it held it")


def _holds(unit: Unit, refuses: Refuses) -> bool:
    return bool(refuses) and any(row.response == refuses for row in unit.attempts.values())


def _lane(due: Sequence[Row], struck_limit: int) -> list[Row]:
    """As many as may be taken of those that struck, then the others; one that its next strike would park goes alone."""
    strikes = {row.id: row.columns["strikes"] + bool(row.owner) for row in due}
    struck = [row for row in due if strikes[row.id]][: max(0, struck_limit)]
    suspect = next((row for row in struck if strikes[row.id] >= SUSPECT), None)
    return (struck if suspect is None else [suspect]) + [row for row in due if not strikes[row.id]]
