"""Seeded virtual time: instances, drivers, operators and faults, all drawn from one number."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from execution.domain.breaker import BreakerPolicy
from execution.domain.outcome import Outcome, Result
from execution.domain.states import InstanceStatus
from execution.engine import core
from execution.engine.events import Acts, Claimed
from execution.engine.state import Act, InstanceState
from execution.engine.target_settings import TargetSettings
from execution.executors.base import Call
from retries.port import RetryPort
from tests.fakes.clock import START
from tests.simulation.driver import Engine
from tests.simulation.flows import random_flow
from tests.simulation.history import Violation, check_rows
from tests.simulation.machine import Machine, Process
from tests.simulation.store import MemoryStore
from tests.simulation.target import REFUSED_BY_STORE, UNSENT, Target

TROUBLE_SECONDS = 24.0  # faults and operators come within these
PATIENCE_SECONDS = 4000.0  # by then everything must have come to rest
MOST_STEPS = 60_000  # most worlds need a thousand
TRACE_LENGTH = 400
NEVER = 1e6
ACTS_ON_TASKS = ("retry", "retry", "rerun", "skip", "mark_success")
# Some worlds share out the calls to their targets, and break the circuit early.
LIMITED = TargetSettings(
    policy=BreakerPolicy(min_calls=4, window=10.0, open_seconds=3.0, open_most=10.0, ramp=3.0),
    limits={"noop:t": (2, 0.0), "plain:t": (0, 2.0)},
)


class World:
    def __init__(self, seed: int, *, bugs: frozenset[str] = frozenset()) -> None:
        self.seed = seed
        self.rng = random.Random(seed)
        self.bugs = bugs
        self.machine = Machine(self.kill)
        self.trace: deque[tuple[Any, ...]] = deque(maxlen=TRACE_LENGTH)
        self.port = RetryPort()
        self.steps = 0
        self._holds = 0
        self._engines: list[Engine] = []
        self.store = MemoryStore(bugs=bugs)
        self.is_limited = self.rng.random() < 0.1
        self.target_settings = LIMITED if self.is_limited else TargetSettings()
        self.flow = random_flow(self.rng, limited=self.is_limited)
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

    @property
    def time(self) -> float:
        return self.machine.time

    def now(self) -> datetime:
        return START + timedelta(seconds=self.machine.time)

    def at(self, delay: float, act: Callable[..., None], *args: Any) -> None:
        self.machine.at(delay, act, *args)

    def note(self, *words: Any) -> None:
        self.trace.append((self.machine.time, *words))

    def run(self) -> None:
        """Until everything rests; raises `Violation`."""
        machine = self.machine
        while machine.step():
            self.steps += 1
            if machine.time > TROUBLE_SECONDS and self.steps % 16 == 0 and self._is_over():
                break
            if machine.time > PATIENCE_SECONDS:
                break
            if self.steps > MOST_STEPS:
                raise Violation("it goes round in circles")
        self._check()

    def end(self) -> None:
        for engine in self._engines:
            engine.process.dead = True
            engine.loop.forget()
        self.machine.end()

    def _is_over(self) -> bool:
        """At rest, given back, and no act undecided."""
        if any(row.wake_at is not None or row.owner for row in self.store.rows.values()):
            return False
        return all(action.state != "asked" for action in self.store.actions.values())

    # Faults

    def fails(self, share: float) -> bool:
        return self.time < TROUBLE_SECONDS and self._trouble > 0 and self.rng.random() < share

    def fault(self, share: float, *, writes: bool) -> str:
        """Of a request; whoever asked cannot tell the unseen ones apart."""
        if not self.fails(share):
            return ""
        return self.rng.choice(["fails", "unseen", "fails unseen"]) if writes else "fails"

    def latency(self) -> float:
        """Of the database, one way."""
        return self.rng.uniform(0.2, 1.5) if self.fails(0.1) else self.rng.uniform(0.001, 0.05)

    def kills_at_claim(self, state: InstanceState) -> bool:
        moves = state.status in (InstanceStatus.PENDING, InstanceStatus.RUNNING)
        return state.id in self.poison_claim and moves and state.strikes < core.STRIKE_LIMIT

    def send(self, process: Process, call: Call, told: Callable[[Outcome], None]) -> None:
        """A call leaves a process; `told` happens in it, if it still lives."""
        if call.instance_id in self.poison_call:
            self.kill(process, f"of a call of {call.instance_id}")
            return
        if self.fails(0.03):
            self.machine.at(0.01, told, UNSENT, process=process)
            return
        self.at(self.rng.uniform(0.001, 0.1), self._arrive, process, call, told)

    def _arrive(self, process: Process, call: Call, told: Callable[[Outcome], None]) -> None:
        outcome, delay = self.target.receive(call.instance_id, call)
        self.note(process.name, "calls", call.instance_id, call.task_id, call.attempt, type(outcome).__name__, delay)
        if delay >= NEVER:
            return
        self.machine.at(delay, told, self.spoilt(call.instance_id, outcome), process=process)

    def overdue(self) -> float:
        """How long a call outlasts its deadline: a thread cannot be ended from outside."""
        return self.rng.choice([0.0, 0.0, 8.0])

    def spoilt(self, instance_id: str, outcome: Outcome) -> Outcome:
        """An answer that the database will not take."""
        if instance_id in self._refused and isinstance(outcome, Result):
            self._refused.discard(instance_id)
            return Result(value=REFUSED_BY_STORE)
        return outcome

    def _disturb(self) -> None:
        engine = self.rng.choice(self._engines)
        if engine.process.dead:
            return
        kind = self.rng.randrange(4)
        if kind == 0:
            self.kill(engine.process, "from outside")
        elif kind == 1:
            self.note(engine.process.name, "drains")
            engine.host.going = True
        else:
            seconds = self.rng.choice([1.0, 5.0, 9.0, 20.0])
            self.note(engine.process.name, "freezes", seconds)
            engine.process.frozen_until = self.time + seconds

    def kill(self, process: Process, why: str) -> None:
        """It ends on the spot; another takes its place after a while."""
        if not process.dead:
            process.dead = True
            self.note(process.name, "dies", why)
            self.at(self.rng.uniform(0.5, 3), self.new_driver)

    def new_driver(self) -> None:
        rng = self.rng
        process = Process(
            self.machine,
            f"d{len(self._engines)}",
            since=rng.uniform(100, 1000),
            rate=rng.uniform(0.99, 1.01),
            skew=rng.choice([0.0, -90.0, 90.0]),
        )
        self._engines.append(Engine(self, process))

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
            name, task_id = rng.choice(ACTS_ON_TASKS), self._random_task(instance_id)
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
        self._holds += 1
        with store.hold(instance_id, owner=f"hold-{self._holds}", now=self.now()) as hold:
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
