"""A driver with one instance, moved by hand; and the flows that it is given."""

from __future__ import annotations

import random
from typing import Any, Final

from disttask_project.kernel.actor import system_actor
from execution.domain.outcome import Failure, Outcome, Result, Sort
from execution.engine import core
from execution.engine.events import Ended, Event
from execution.engine.loading import current_store, failure_port
from execution.engine.state import InstanceState
from flows.services import create_flow
from tests.statemachine.model import BUSY, FLOWS, LOST, NO

ACTOR: Final = system_actor("li.wei")
FAILURES: Final = {
    BUSY: Failure(sort=Sort.REFUSED_NOW, type="HttpError", code="HTTP_503", message="not now"),
    NO: Failure(sort=Sort.REFUSED, type="HttpError", code="HTTP_400", message="never"),
    LOST: Failure(sort=Sort.MAYBE_APPLIED, type="Timeout", code="TIMEOUT", message="no answer"),
}


def definition(name: str) -> dict[str, Any]:
    tasks = [
        {
            "id": task_id,
            "task_name": "noop",
            "depends_on": list(spec.after),
            "optional": spec.optional,
            "retry": {"strategy": spec.retry}
            | ({} if spec.retry == "no_retry" else {"max_attempts": 1, "interval": 900}),
        }
        for task_id, spec in FLOWS[name].items()
    ]
    return {"name": name, "on_failure": "fail" if name == "strict" else "hold", "tasks": tasks}


def make_flows() -> None:
    for name in FLOWS:
        create_flow(definition=definition(name), actor=ACTOR)


class Holder:
    """A driver with one instance; between two rules it may sleep for as long as it likes."""

    def __init__(self, state: InstanceState) -> None:
        self.state = state
        self.open: dict[str, int] = {}

    def step(self, *events: Event) -> bool:
        """False: the fence is another's, so nothing was written."""
        store, unit, calls = current_store(), None, []
        for event in events:
            effects = core.step(self.state, event, now=store.now(), rng=random.Random(1), port=failure_port())
            calls += effects.calls
            if effects.unit is not None:
                unit = effects.unit if unit is None else core.fold(unit, effects.unit)
        if unit is None:
            return True
        if store.apply([unit]):
            return False
        self.open |= {call.task_id: call.attempt for call in calls}
        return True

    def ended(self, task_id: str, answer: str) -> Ended:
        outcome: Outcome = FAILURES[answer] if answer in FAILURES else Result(value={})
        return Ended(task_id=task_id, attempt=self.open.pop(task_id), outcome=outcome, duration_ms=1.0)
