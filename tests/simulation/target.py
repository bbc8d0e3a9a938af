"""The other end of every call: it applies or refuses, answers soon, late or never, and keeps a ledger."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field

from execution.domain.outcome import Failure, Outcome, Result, Sort
from execution.engine.state import PlannedCall
from tests.simulation.history import Violation
from tests.simulation.store import MemoryStore

REFUSED_BY_STORE = "\x00"  # a payload that the database refuses (the core passes it through)

LOST = Failure(sort=Sort.MAYBE_APPLIED, type="Timeout", code="TIMEOUT", message="no answer")
UNSENT = Failure(sort=Sort.NEVER_SENT, type="ConnectError", code="CONNECT", message="no route")
BUSY = Failure(sort=Sort.REFUSED_NOW, type="HttpError", code="HTTP_503", message="not now")
NO = Failure(sort=Sort.REFUSED, type="HttpError", code="HTTP_400", message="never")


@dataclass(slots=True)
class Target:
    """`honours` says of which tasks the target knows the key again and answers what it answered before."""

    store: MemoryStore
    rng: random.Random
    honours: frozenset[str]
    sour: float  # the share of calls that do not go well
    effects: Counter[tuple[str, str]] = field(default_factory=Counter)  # by instance and task
    by_run: Counter[tuple[str, str, int]] = field(default_factory=Counter)
    keys: set[str] = field(default_factory=set)
    seen: int = 0

    def receive(self, instance_id: str, call: PlannedCall) -> tuple[Outcome, float]:
        """What the target does with a call, and after how many seconds it answers."""
        self.seen += 1
        row = self.store.rows[instance_id].attempts.get((call.task_id, call.attempt))
        if row is None or row.key != call.key:
            raise Violation(f"{instance_id}:{call.task_id} attempt {call.attempt} had an effect before its row")
        delay = self.rng.expovariate(5)
        if self.rng.random() >= self.sour:
            return self._apply(instance_id, call), delay
        kind = self.rng.randrange(5)
        if kind == 0:
            return BUSY, delay
        if kind == 1:
            return NO, delay
        if kind == 2:
            return self._apply(instance_id, call), 1e9  # applied, and the answer is lost
        if kind == 3:
            return LOST, 1e9  # neither applied nor answered
        return self._apply(instance_id, call), delay + 12  # it answers after everybody has gone

    def _apply(self, instance_id: str, call: PlannedCall) -> Outcome:
        if call.task_id in self.honours:
            if call.key in self.keys:
                return Result(value={"again": True})
            self.keys.add(call.key)
        self.effects[instance_id, call.task_id] += 1
        self.by_run[instance_id, call.task_id, call.run] += 1
        return Result(value={"done": call.task_id})

    def check(self) -> None:
        """Nothing was done twice that a key or an `unknown` attempt does not explain."""
        for (instance_id, task_id, run), count in self.by_run.items():
            if task_id in self.honours and count > 1:
                raise Violation(f"{instance_id}:{task_id} run {run} was applied {count} times under several keys")
        runs = Counter((instance_id, task_id) for instance_id, task_id, _ in self.by_run)
        for (instance_id, task_id), count in runs.items():
            if count > 1:  # a new key went out while an attempt under the old one might have been applied
                raise Violation(f"{instance_id}:{task_id} was applied in {count} runs")
        for (instance_id, task_id), count in self.effects.items():
            rows = self.store.rows[instance_id].attempts
            unknown = sum(row.status == "unknown" and row.task_id == task_id for row in rows.values())
            if count > 1 + unknown:
                raise Violation(f"{instance_id}:{task_id} was applied {count} times, {unknown} attempts are unknown")
