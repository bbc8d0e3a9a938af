"""Seeded virtual time: instances, drivers, operators and faults, all drawn from one number."""

from __future__ import annotations

import heapq
import random
from collections import deque
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from execution.domain.outcome import Outcome, Result
from execution.engine import core
from execution.engine.events import Acts, Claimed
from execution.engine.state import Act
from flows.domain.compiled import CompiledFlow, Jitter, OnFailure, OnUnknown, RetryPolicy, Scope, Strategy
from retries.port import RetryPort
from tests.fakes.clock import START
from tests.fakes.compiled import ASKED, make_flow
from tests.simulation.driver import Driver
from tests.simulation.history import Violation, check_rows
from tests.simulation.store import MemoryStore
from tests.simulation.target import REFUSED_BY_STORE, Target

TROUBLE_SECONDS = 40.0  # faults and operators come within these
PATIENCE_SECONDS = 4000.0  # by then everything must have come to rest
TRACE_LENGTH = 400


class World:
    def __init__(self, seed: int, *, bugs: frozenset[str] = frozenset()) -> None:
        self.seed = seed
        self.rng = random.Random(seed)
        self.bugs = bugs
        self.time = 0.0
        self.trace: deque[tuple[Any, ...]] = deque(maxlen=TRACE_LENGTH)
        self.port = RetryPort()
        self.steps = 0
        self._events: list[tuple[float, int, Callable[..., None], tuple[Any, ...]]] = []
        self._count = 0
        self._drivers: list[Driver] = []
        self.store = MemoryStore(bugs=bugs)
        self.flow = random_flow(self.rng)
        self.target = Target(
            store=self.store,
            rng=self.rng,
            honours=frozenset(task_id for task_id in self.flow.tasks if self.rng.random() < 0.5),
            sour=self.rng.choice([0.0, 0.1, 0.4]),
        )
        self._trouble = self.rng.choice([0.0, 1.0, 1.0, 2.0])
        self._populate()

    def _populate(self) -> None:
        rng = self.rng
        names = [f"i{number}" for number in range(rng.randint(1, 5))]
        self.poison_claim = {name for name in names if rng.random() < 0.04}
        self.poison_call = {name for name in names if rng.random() < 0.04}
        self.refuses = REFUSED_BY_STORE if rng.random() < 0.15 else ""
        self._refused = {name for name in names if self.refuses and rng.random() < 0.4}
        for name in names:
            self.at(rng.uniform(0, TROUBLE_SECONDS / 4), self._insert, name)
        for _ in range(rng.randint(1, 3)):
            self.new_driver()
        for _ in range(rng.randint(0, 5)):
            name, when = rng.choice(names), rng.uniform(0, TROUBLE_SECONDS)
            for click in range(rng.choice([1, 1, 1, 2, 4])):
                self.at(when + click * rng.uniform(0, 0.4), self._operate, name)
        for _ in range(int(rng.randint(0, 6) * self._trouble)):
            self.at(rng.uniform(0, TROUBLE_SECONDS), self._disturb)

    def _insert(self, name: str) -> None:
        self.store.insert(name, self.flow, deadline=self.flow.timeout_seconds, now=self.now())

    # Time

    def now(self) -> datetime:
        return START + timedelta(seconds=self.time)

    def at(self, delay: float, act: Callable[..., None], *args: Any) -> None:
        self._count += 1
        heapq.heappush(self._events, (self.time + delay, self._count, act, args))

    def note(self, *words: Any) -> None:
        self.trace.append((self.time, *words))

    def run(self) -> None:
        """Until everything rests; raises `Violation`."""
        while self._events:
            self.time, _, act, args = heapq.heappop(self._events)
            if self.time > PATIENCE_SECONDS:
                break
            act(*args)
            self.steps += 1
            if self.time > TROUBLE_SECONDS and self.steps % 16 == 0 and self._is_over():
                break
        self._check()

    def _is_over(self) -> bool:
        """At rest, given back, and no act undecided."""
        if any(row.wake_at is not None or row.owner for row in self.store.rows.values()):
            return False
        return all(action.state != "asked" for action in self.store.actions.values())

    # Faults

    def fails(self, share: float) -> bool:
        return self.time < TROUBLE_SECONDS and self._trouble > 0 and self.rng.random() < share

    def commit_fault(self) -> str:
        if not self.fails(0.12):
            return ""
        return self.rng.choice(["fails", "unseen", "fails unseen"])

    def latency(self) -> float:
        """Of the database, one way."""
        return self.rng.uniform(0.2, 1.5) if self.fails(0.1) else self.rng.uniform(0.001, 0.05)

    def idle_for(self) -> float:
        """Until the next poll: a wake-up may be lost (long) or doubled (at once)."""
        if self.fails(0.1):
            return self.rng.choice([0.0, 5.0])
        due = self.store.next_due()
        if due is None:
            return self.rng.uniform(0.2, 2)
        return max(self.rng.uniform(0.1, 0.6), min(10.0, (due - self.now()).total_seconds()))

    def spoilt(self, instance_id: str, outcome: Outcome) -> Outcome:
        """An answer that the database will not take."""
        if instance_id in self._refused and isinstance(outcome, Result):
            self._refused.discard(instance_id)
            return Result(value=REFUSED_BY_STORE)
        return outcome

    def _disturb(self) -> None:
        driver = self.rng.choice(self._drivers)
        if not driver.alive:
            return
        kind = self.rng.randrange(4)
        if kind == 0:
            driver.die("killed")
        elif kind == 1:
            driver.drain()
        else:
            driver.freeze(self.rng.choice([1.0, 5.0, 9.0, 20.0]))

    def new_driver(self) -> None:
        self._drivers.append(Driver(self, f"d{len(self._drivers)}"))

    # Operators

    def _operate(self, instance_id: str) -> None:
        row = self.store.rows.get(instance_id)
        if row is None:
            return
        act = self._random_act(instance_id)
        self.note("operator", act.act, act.task_id, instance_id)
        if not self._hold(instance_id, act):
            self.store.ask(instance_id, act)
            if self.rng.random() < 0.5:  # else the asking process has died
                self.at(2.0, self._hold_asked, instance_id)
        if str(row.status) in ("paused", "failed") and self.time < TROUBLE_SECONDS:
            self.at(self.rng.uniform(0, 5), self._operate, instance_id)

    def _random_act(self, instance_id: str) -> Act:
        rng = self.rng
        payload: dict[str, Any] = {}
        task_id = ""
        if self.store.rows[instance_id].status == "paused" and rng.random() < 0.7:
            name = "resume"
        elif rng.random() < 0.5:
            name = rng.choice(["pause", "retry", "retry", "cancel", "close", "compensate", "compensate"])
            payload = {"force": True} if rng.random() < 0.3 else {}
        else:
            name, task_id = rng.choice(["retry", "retry", "skip", "mark_success"]), self._random_task(instance_id)
            if rng.random() < 0.4:
                payload = {"input": {"x": rng.random()}}
        action_id = f"a{len(self.store.actions)}"
        return Act(action_id=action_id, act=name, task_id=task_id, payload=payload, actor="li.wei")

    def _random_task(self, instance_id: str) -> str:
        """Operators look at what failed more often than at the rest."""
        failed = [task.task_id for task in self.store.rows[instance_id].tasks.values() if task.status == "failed"]
        return self.rng.choice(failed if failed and self.rng.random() < 0.8 else list(self.flow.specs))

    def _hold(self, instance_id: str, act: Act | None) -> bool:
        """As `services.act` does it: what is asked already goes first. False: a driver has it, or it is asked."""
        store = self.store
        if act is not None and store.is_asked(instance_id, act):
            return False
        with store.hold(instance_id, owner=f"hold-{self._count}", now=self.now()) as hold:
            if hold is None:
                return False
            if act is not None:
                store.ask(instance_id, act)
            acts = store.open_actions([instance_id]).get(instance_id, ())
            unit = None
            if hold.open_attempts:
                claimed = Claimed(open_attempts=hold.open_attempts)
                unit = core.step(hold.state, claimed, now=self.now(), rng=self.rng, port=self.port).unit
            event = Acts(acts=acts, inbox=hold.state.inbox, release=True)
            last = core.step(hold.state, event, now=self.now(), rng=self.rng, port=self.port).unit
            if last is None:
                raise Violation("a hold left nothing to write")
            hold.apply(last if unit is None else core.fold(unit, last))
            return True

    def _hold_asked(self, instance_id: str) -> None:
        self._hold(instance_id, None)

    # The verdict

    def _check(self) -> None:
        self.target.check()
        for row in self.store.rows.values():
            check_rows(row)
            if not row.is_at_rest or row.wake_at is not None or row.owner:
                raise Violation(f"{row.id} never comes to rest: {row.status}, wakes {row.wake_at}, owner {row.owner!r}")
        for action_id, action in self.store.actions.items():
            if action.state == "asked":
                raise Violation(f"act {action_id} ({action.act.act} on {action.instance_id}) was never decided")


def _says(word: str) -> Callable[[Scope], bool]:
    return lambda scope: isinstance(scope["result"], dict) and scope["result"].get("done") == word


def random_flow(rng: random.Random) -> CompiledFlow:
    """One to six tasks; now and then a deadline, a condition, an odd join."""
    tasks: dict[str, dict[str, Any]] = {}
    for number in range(rng.randint(1, 6)):
        earlier = list(tasks)
        after = rng.sample(earlier, rng.randint(0, min(len(earlier), 3))) if earlier else []
        options: dict[str, Any] = {"after": after, "retry": _random_policy(rng), "optional": rng.random() < 0.15}
        if after and rng.random() < 0.4:
            options["join"] = rng.choice(["any", rng.randint(1, len(after))])
        if rng.random() < 0.15:
            options["when"] = lambda _scope: False
        if rng.random() < 0.2:
            options["on_failure"] = rng.choice([OnFailure.FAIL, OnFailure.HOLD])
        if rng.random() < 0.5:
            options["undo"] = {"retry": RetryPolicy(strategy=Strategy.AUTO, max_attempts=3, interval=1)}
        if rng.random() < 0.25:
            options["check"] = {"retry": ASKED, "success_when": _says("yes"), "failed_when": _says("no")}
            options["on_unknown"] = OnUnknown.CHECK
        tasks[f"t{number}"] = options
    return make_flow(
        tasks,
        on_failure=rng.choice([OnFailure.HOLD, OnFailure.COMPENSATE, OnFailure.COMPENSATE, OnFailure.FAIL]),
        max_parallel=rng.choice([None, None, 1, 2]),
        timeout_seconds=rng.choice([None, None, None, 15.0]),
    )


def _random_policy(rng: random.Random) -> RetryPolicy:
    return RetryPolicy(
        strategy=rng.choice([Strategy.AUTO, Strategy.AUTO, Strategy.MANUAL, Strategy.NO_RETRY]),
        max_attempts=rng.randint(0, 3),
        interval=rng.choice([0.0, 0.5, 4.0]),
        jitter=rng.choice(list(Jitter)),
    )
