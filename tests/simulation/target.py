"""The other end of every call: it applies or refuses, answers soon, late or never, and keeps a ledger."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field

from execution.domain.outcome import Failure, Outcome, Result, Sort
from execution.domain.states import InstanceStatus
from execution.executors.base import Call
from flows.domain.compiled import Kind
from flows.domain.errands import kind_of, task_of
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
    undone: set[str] = field(default_factory=set)  # forward keys that must not be applied any more
    seen: int = 0

    def receive(self, instance_id: str, call: Call) -> tuple[Outcome, float]:
        """What the target does with a call, and after how many seconds it answers."""
        self.seen += 1
        row = self.store.rows[instance_id].attempts.get((call.task_id, call.attempt))
        if row is None or row.key != call.key:
            raise Violation(f"{instance_id}:{call.task_id} attempt {call.attempt} had an effect before its row")
        delay = self.rng.expovariate(5)
        if kind_of(call.task_id) is Kind.CHECK and self.rng.random() >= self.sour:
            return Result(value={"done": self._asked(instance_id, task_of(call.task_id))}), delay
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

    def _asked(self, instance_id: str, task_id: str) -> str:
        """The truth, or that nothing is known yet."""
        if self.rng.random() < 0.3:
            return "?"
        return "yes" if self.effects[instance_id, task_id] else "no"

    def _apply(self, instance_id: str, call: Call) -> Outcome:
        if kind_of(call.task_id) is Kind.CHECK:
            return Result(value={"done": "?"})
        if task_of(call.task_id) in self.honours:
            if call.key in self.keys:
                return Result(value={"again": True})
            if call.key in self.undone:
                return NO  # it comes after its undo
            self.keys.add(call.key)
            if call.undoes is not None and call.undoes.key not in self.keys:
                self.undone.add(call.undoes.key)
                return Result(value={"empty": True})
        self.effects[instance_id, call.task_id] += 1
        self.by_run[instance_id, call.task_id, call.run] += 1
        return Result(value={"done": call.task_id})

    def _check_balance(self) -> None:
        """Where everything was undone, a target that knows its calls again has nothing left of them."""
        for (instance_id, task_id), count in self.effects.items():
            row = self.store.rows[instance_id]
            undo = row.flow.specs.get(f"{task_id}.undo")
            if row.status is not InstanceStatus.COMPENSATED or undo is None or task_id not in self.honours:
                continue
            by_person = any(name in row.tasks and row.tasks[name].skip_reason for name in (task_id, undo.id))
            by_person = by_person or bool(self._reruns(instance_id, task_id))
            if not by_person and self.effects[instance_id, undo.id] != count:
                raise Violation(f"{instance_id}:{task_id} was applied {count} times and not undone as often")

    def _reruns(self, instance_id: str, task_id: str) -> int:
        """How often a person has run anew what had, or may have had, its effect; and its undo with it.

        Who skips what nobody knows the outcome of, and then runs it again from there, has been asked twice.
        """
        logs = self.store.rows[instance_id].logs
        forward = task_of(task_id)
        mine = [row for row in logs if row.task_id == forward and row.action == "reset" and row.details]
        return sum(str(row.details["from"]) in ("success", "compensated", "skipped") for row in mine)

    def check(self) -> None:
        """Nothing was done twice that a key, an `unknown` attempt or a person does not explain."""
        for (instance_id, task_id, run), count in self.by_run.items():
            if task_of(task_id) in self.honours and count > 1:
                raise Violation(f"{instance_id}:{task_id} run {run} was applied {count} times under several keys")
        self._check_balance()
        runs = Counter((instance_id, task_id) for instance_id, task_id, _ in self.by_run)
        for (instance_id, task_id), count in runs.items():
            if count > 1 + self._reruns(instance_id, task_id):
                # A new key went out while an attempt under the old one might have been applied.
                raise Violation(f"{instance_id}:{task_id} was applied in {count} runs")
        for (instance_id, task_id), count in self.effects.items():
            rows = self.store.rows[instance_id].attempts
            unknown = sum(row.status == "unknown" and row.task_id == task_id for row in rows.values())
            if count > 1 + unknown + self._reruns(instance_id, task_id):
                raise Violation(f"{instance_id}:{task_id} was applied {count} times, {unknown} attempts are unknown")
