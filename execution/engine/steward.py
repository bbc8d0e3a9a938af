"""The thread that shares targets with other drivers through the store: windows out, rules, permits and wake-ups in."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

import structlog

from disttask_project.kernel.clock import Clock
from execution.domain.breaker import Breaker, BreakerState, judge
from execution.domain.health import BUCKET, figures, read_window
from execution.engine.gates import MOST_LINE, Rule
from execution.engine.target_settings import TargetSettings
from execution.stores.base import Store, StoreUnavailable
from execution.stores.targets import Ask, Granted, Report, TargetRow

log = structlog.get_logger(__name__)

HORIZON: Final = 0.6  # seconds ahead for which starts are reserved under a rate


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """What the loop tells of one target. `window` None: nothing new."""

    target_id: str
    window: Sequence[Any] | None
    errors: bool
    in_flight: int
    waiting: int
    moments: int
    room: int  # how many more may wait in line

    @property
    def want(self) -> int:
        return self.in_flight + self.waiting


@dataclass(frozen=True, slots=True, kw_only=True)
class Update:
    """What holds from now on. A target without a rule is free."""

    rules: Mapping[str, Rule] = field(default_factory=dict)
    granted: Mapping[str, Granted] = field(default_factory=dict)


class Steward:
    """`tell` is called on this thread with every update, and with None where the store does not answer."""

    def __init__(
        self,
        store: Store,
        settings: TargetSettings,
        *,
        owner: str,
        lease: float,
        clock: Clock,
        tell: Callable[[Update | None], None],
    ) -> None:
        self._store = store
        self._settings = settings
        self._owner = owner
        self.lease = lease
        self._clock = clock
        self._tell = tell
        self._asked: queue.SimpleQueue[Sequence[Demand] | None] = queue.SimpleQueue()
        self._healthy = True
        self._thread = threading.Thread(target=self._run, name="targets", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def ask(self, demands: Sequence[Demand]) -> None:
        self._asked.put(demands)

    def stop(self) -> None:
        """Gives back what it holds."""
        self._asked.put(None)
        self._thread.join(5)

    def _run(self) -> None:
        try:
            while (demands := self._asked.get()) is not None:
                self._tell(self._answer(demands))
            self._store.targets.clear(self._owner, now=self._clock.now())
        except StoreUnavailable as error:
            log.warning("targets_not_cleared", error=str(error)[:300])  # its shares run out by themselves
        finally:
            self._store.close()

    def _answer(self, demands: Sequence[Demand]) -> Update | None:
        try:
            update = self.turn(demands)
        except StoreUnavailable as error:
            if self._healthy:
                log.warning("targets_wait", error=str(error)[:300])
            self._healthy = False
            return None
        except Exception:
            # A surprise about one target must not end all looking.
            log.exception("targets_failed")
            return None
        self._healthy = True
        return update

    def turn(self, demands: Sequence[Demand]) -> Update:
        """One exchange with the other drivers."""
        now = self._clock.now()
        by_id = {demand.target_id: demand for demand in demands}
        limited = [each for each in by_id if each in self._settings.limits]
        told = [Report(target_id=each.target_id, window=each.window) for each in demands if each.window]
        self._store.targets.report(self._owner, told, now=now)
        rows = dict(self._store.targets.rows([*limited, *(each.target_id for each in demands if each.errors)]))
        new = [by_id[each] for each in limited if each not in rows]
        if new:
            made = [Report(target_id=each.target_id, window=[]) for each in new]
            self._store.targets.report(self._owner, made, now=now)
            rows |= self._store.targets.rows([each.target_id for each in new])
        rows = {each.id: each for each in self._judged(list(rows.values()), by_id, now)}
        rules = {row.id: self._rule(row) for row in rows.values()}
        acting = {key: rule for key, rule in rules.items() if rows[key].acts or rule.concurrency or rule.rate}
        for row in rows.values():
            if row.id in acting:
                self._wake(row, acting[row.id], by_id.get(row.id), now)
        return Update(rules=acting, granted=self._take(acting, by_id, now))

    # Breakers

    def _judged(self, rows: Sequence[TargetRow], demands: Mapping[str, Demand], now: datetime) -> list[TargetRow]:
        policy = self._settings.policy
        since = now - timedelta(seconds=policy.window + BUCKET)
        others = self._store.targets.windows([row.id for row in rows], others_than=self._owner, since=since)
        found = []
        for row in rows:
            demand = demands.get(row.id)
            own = demand.window if demand is not None and demand.window else []
            changed = row.breaker.changed_at
            seen = figures(
                [read_window(each) for each in (own, *others.get(row.id, ()))],
                now=now.timestamp(),
                seconds=policy.window,
                since=changed.timestamp() if changed else 0.0,
            )
            found.append(self._changed(row, judge(row.breaker, seen, policy, now=now), now))
        return found

    def _changed(self, row: TargetRow, breaker: Breaker, now: datetime) -> TargetRow:
        acts = self._must_act(row, breaker, now)
        if breaker is row.breaker and acts == row.acts:
            return row
        if not self._store.targets.change(row.id, row.rev, breaker, acts=acts):
            return row  # another driver was faster, or a person: seen at the next look
        if breaker.state is not row.breaker.state:
            log.warning("breaker_changed", target=row.id, was=str(row.breaker.state), now=str(breaker.state))
        return TargetRow(
            id=row.id, concurrency=row.concurrency, rate=row.rate, breaker=breaker, acts=acts, rev=row.rev + 1
        )

    def _must_act(self, row: TargetRow, breaker: Breaker, now: datetime) -> bool:
        if row.concurrency or row.rate or breaker.forced or breaker.state is not BreakerState.CLOSED:
            return True
        if breaker.may_pass(now, self._settings.policy) is not None:
            return True
        return row.acts and self._store.targets.has_parked(row.id, now=now)

    # Limits

    def _rule(self, row: TargetRow) -> Rule:
        usual = self._settings.limits.get(row.id, (0, 0.0))
        return Rule(
            breaker=row.breaker,
            concurrency=usual[0] if row.concurrency is None else row.concurrency,
            rate=usual[1] if row.rate is None else row.rate,
        )

    def _take(self, rules: Mapping[str, Rule], demands: Mapping[str, Demand], now: datetime) -> dict[str, Granted]:
        granted = {}
        for target_id, rule in rules.items():
            demand = demands.get(target_id)
            if demand is None or not (rule.concurrency or rule.rate):
                continue
            ask = Ask(
                target_id=target_id,
                concurrency=rule.concurrency,
                rate=rule.rate,
                used=demand.in_flight,
                want=demand.want,
                moments=max(0, demand.waiting - demand.moments),
                least=1 if demand.waiting and not demand.moments else 0,
            )
            granted[target_id] = self._store.targets.take(
                self._owner, ask, lease=timedelta(seconds=self.lease), horizon=HORIZON, now=self._clock.now()
            )
        return granted

    # Parked work

    def _wake(self, row: TargetRow, rule: Rule, demand: Demand | None, now: datetime) -> None:
        """Make due what can soon start: as much as there is room for, and no more."""
        most = row.breaker.may_pass(now, self._settings.policy)
        if most == 0:
            return
        room = MOST_LINE if demand is None else demand.room
        if most is not None:
            room = min(room, most - (demand.want if demand is not None else 0))
        if room > 0:
            self._store.targets.wake(row.id, room, now=now)
