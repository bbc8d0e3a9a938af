"""A driver in the test's own thread: the real store and the real core, with outcomes that the test says."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, Final

from execution.domain.outcome import Failure, Outcome, Result, Sort
from execution.engine import core
from execution.engine.events import Claimed, Ended, Event, Start
from execution.engine.loading import current_store, failure_port
from execution.engine.state import InstanceState, PlannedCall
from execution.stores.base import Loaded

LEASE: Final = timedelta(seconds=30)
Answer = Outcome | Callable[[PlannedCall], Outcome]


def refused(code: str = "CARD_DECLINED", message: str = "no money") -> Failure:
    """A failure for good."""
    return Failure(sort=Sort.REFUSED, type="Refused", code=code, message=message, response={"status": 402})


def unknown() -> Failure:
    return Failure(sort=Sort.MAYBE_APPLIED, type="UnknownOutcome", code="TIMEOUT", message="no answer in time")


class Driver:
    """Owns what is due until it is idle. Tasks without an answer of their own succeed with their input."""

    def __init__(self, answers: Mapping[str, Answer] | None = None, *, owner: str = "test-driver") -> None:
        self.answers = dict(answers or {})
        self.calls: list[PlannedCall] = []
        self._owner = owner
        self._store = current_store()

    def run(self) -> None:
        """Claim all that is due and drive it until nothing happens any more."""
        for loaded in self.claim():
            effects = self._step(loaded.state, Claimed(open_attempts=loaded.open_attempts))
            self._go_on(loaded.state, effects)

    def claim(self) -> list[Loaded]:
        """Take what is due, and do nothing with it yet: a driver that is busy."""
        claims = self._store.claim(self._owner, limit=100, struck_limit=100, lease=LEASE, now=self._store.now())
        return list(self._store.load(claims))

    def _go_on(self, state: InstanceState, calls: list[PlannedCall]) -> None:
        while True:
            for call in calls:
                self.calls.append(call)
                outcome = self._outcome(call)
                calls_next = self._step(
                    state, Ended(task_id=call.task_id, attempt=call.attempt, outcome=outcome, duration_ms=1.0)
                )
                assert not calls_next
            ready = core.startable(state)
            if not ready:
                return
            calls = self._step(state, Start(task_ids=ready, worker=self._owner))

    def _outcome(self, call: PlannedCall) -> Outcome:
        answer = self.answers.get(call.task_id, Result(value=dict(call.input)))
        return answer(call) if callable(answer) else answer

    def _step(self, state: InstanceState, event: Event) -> list[PlannedCall]:
        effects = core.step(state, event, now=self._store.now(), rng=random.Random(1), port=failure_port())
        if effects.unit is not None:
            lost = self._store.apply([effects.unit])
            assert not lost, "the fence was lost"
        return effects.calls


def drive(**answers: Any) -> Driver:
    """Drive all that is due; keyword arguments are task ids."""
    driver = Driver(answers)
    driver.run()
    return driver
