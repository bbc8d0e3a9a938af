"""The store as one process reaches it: requests take time, answers get lost, and what has left is done regardless."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from execution.engine.state import Act, AttemptRow, Unit
from execution.stores.base import Claim, Loaded, RecordRefused, StoreUnavailable
from tests.simulation.machine import Process, Waiter
from tests.simulation.shared_targets import MemoryTargets

if TYPE_CHECKING:
    from tests.simulation.world import World

T = TypeVar("T")


class Connection:
    """`execution.stores.base.Store`, of one process."""

    shares_one_writer = False

    def __init__(self, world: World, process: Process, *, lacks_version_until: float = 0.0) -> None:
        self._world = world
        self._store = world.store
        self._process = process
        self._lacks_version_until = lacks_version_until
        self.targets = TargetConnection(self, world.store.targets)

    def close(self) -> None: ...

    def ask_server(self, work: Callable[[], T], *, share: float = 0.06, writes: bool = False) -> T:
        """There and back. What has reached the server is done, whatever becomes of whoever asked for it."""
        world, machine = self._world, self._world.machine
        fault = world.fault(share, writes=writes)
        waiter = Waiter(self._process)
        answer: list[T | RecordRefused] = []

        def arrive() -> None:
            if fault not in ("fails", "fails unseen"):
                try:
                    answer.append(work())
                except RecordRefused as error:
                    answer.append(error)
            machine.at(world.latency(), machine.resume, waiter, True, process=self._process)

        machine.at(world.latency(), arrive)
        machine.wait(waiter, None)
        if fault:
            raise StoreUnavailable(fault, commit_sent="unseen" in fault)
        if isinstance(answer[0], RecordRefused):
            raise answer[0]
        return answer[0]

    def now(self) -> datetime:
        return self.ask_server(self._world.now)

    # Claims and leases

    def claim(
        self,
        owner: str,
        *,
        limit: int,
        struck_limit: int,
        lease: timedelta,
        now: datetime,
        held: Mapping[str, int] | None = None,
        most_of_flow: int | None = None,
    ) -> Sequence[Claim]:
        if not self._store.has_due(now):
            return ()

        def work() -> Sequence[Claim]:
            claims = self._store.claim(owner, limit=limit, struck_limit=struck_limit, lease=lease, now=now)
            if claims:
                self._world.note(owner, "claims", [(each.instance_id, each.fence, each.strikes) for each in claims])
            return claims

        return self.ask_server(work, writes=True)

    def load(self, claims: Sequence[Claim]) -> Sequence[Loaded]:
        lacks = self._world.machine.time < self._lacks_version_until
        loaded = self.ask_server(lambda: self._store.load(claims, lacks_version=lacks))
        if any(self._world.kills_at_claim(each.state) for each in loaded):
            self._world.kill(self._process, "of what it claimed")
        return loaded

    def renew(self, owner: str, fences: Mapping[str, int], *, lease: timedelta, now: datetime) -> set[str]:
        asked = dict(fences)
        return self.ask_server(lambda: self._store.renew(owner, asked, lease=lease, now=now), writes=True)

    def beat(self, _session_id: str, **_values: Any) -> None: ...

    # Journal

    def apply(self, units: Sequence[Unit]) -> set[str]:
        world, name = self._world, self._process.name

        def work() -> set[str]:
            lost = self._store.apply(units, by=name, now=world.now(), refuses=world.refuses)
            world.note(name, "commits", [(each.instance_id, each.fence, each.rev) for each in units], "lost", lost)
            return lost

        return self.ask_server(work, share=0.12, writes=True)

    def positions(self, ids: Iterable[str]) -> Mapping[str, tuple[int, int]]:
        return self.ask_server(lambda: self._store.positions(ids))

    # Acts

    def inboxes(self, ids: Iterable[str]) -> Mapping[str, int]:
        return self.ask_server(lambda: self._store.inboxes(ids))

    def open_actions(self, instance_ids: Iterable[str]) -> Mapping[str, Sequence[Act]]:
        return self.ask_server(lambda: self._store.open_actions(instance_ids))

    def keep_stale(self, attempt: AttemptRow) -> None:
        self.ask_server(lambda: self._store.keep_stale(attempt), writes=True)


class TargetConnection:
    """`execution.stores.targets.TargetStore`: what has nothing to say is not sent."""

    def __init__(self, connection: Connection, targets: MemoryTargets) -> None:
        self._ask = connection.ask_server
        self._targets = targets

    def report(self, owner: str, reports: Sequence[Any], *, now: datetime) -> None:
        if reports:
            self._ask(lambda: self._targets.report(owner, reports, now=now))

    def rows(self, ids: Sequence[str]) -> Mapping[str, Any]:
        return self._ask(lambda: self._targets.rows(ids)) if ids or self._targets.act() else {}

    def windows(self, ids: Sequence[str], *, others_than: str, since: datetime) -> Mapping[str, Sequence[Any]]:
        return self._ask(lambda: self._targets.windows(ids, others_than=others_than, since=since)) if ids else {}

    def take(self, owner: str, ask: Any, *, lease: timedelta, horizon: float, now: datetime) -> Any:
        return self._ask(lambda: self._targets.take(owner, ask, lease=lease, horizon=horizon, now=now))

    def change(self, target_id: str, rev: int, breaker: Any, *, acts: bool) -> bool:
        return self._ask(lambda: self._targets.change(target_id, rev, breaker, acts=acts))

    def wake(self, target_id: str, most: int, *, now: datetime) -> int:
        return self._ask(lambda: self._targets.wake(target_id, most, now=now))

    def has_parked(self, target_id: str, *, now: datetime) -> bool:
        return self._ask(lambda: self._targets.has_parked(target_id, now=now))

    def clear(self, owner: str, *, now: datetime) -> None:
        if self._targets.rows(()):
            self._ask(lambda: self._targets.clear(owner, now=now))
