"""What services, engine and store must do together, said again in plain Python: no plan, no rows, no transactions.

Two flows are played. `hold`: a, then b and c (c may fail), then d. `strict`: a beside x, then b; one failure ends it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

OK, BUSY, NO, LOST = "ok", "busy", "no", "lost"


@dataclass(frozen=True, slots=True)
class Spec:
    after: tuple[str, ...] = ()
    retry: str = "no_retry"  # auto, manual, no_retry; where it retries, once
    optional: bool = False


FLOWS: Final = {
    "hold": {
        "a": Spec(retry="auto"),
        "b": Spec(after=("a",), retry="manual"),
        "c": Spec(after=("a",), optional=True),
        "d": Spec(after=("b", "c")),
    },
    "strict": {"a": Spec(), "x": Spec(retry="auto"), "b": Spec(after=("a",), retry="auto")},
}
WELL: Final = ("success", "skipped")


@dataclass(slots=True)
class ModelTask:
    status: str = "pending"
    attempt: int = 0
    retries: int = 0
    unknown: bool = False  # an attempt of this run may have been applied
    record: str = ""  # the state of its exception
    due: bool = False  # a retry whose time has come
    in_flight: bool = False
    fresh: bool = False  # a person has just asked for the retry


@dataclass(slots=True)
class Asked:
    act: str
    task_id: str = ""
    force: bool = False


@dataclass(slots=True)
class Driven:
    flow: str
    status: str = "pending"
    closed: bool = False
    paused_from: str = ""
    strikes: int = 0
    poisoned: str = ""  # the state of the exception of the instance itself
    holder: str = ""  # "", live, expired
    asked: list[Asked] = field(default_factory=list)
    waiting: Asked | None = None  # a cancel or pause that the holder has taken up
    tasks: dict[str, ModelTask] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.tasks = {task_id: ModelTask() for task_id in self.specs}

    @property
    def specs(self) -> dict[str, Spec]:
        return FLOWS[self.flow]

    @property
    def strict(self) -> bool:
        return self.flow == "strict"

    @property
    def needs_attention(self) -> bool:
        return self.status == "failed" and not self.closed

    @property
    def in_flight(self) -> list[str]:
        return [task_id for task_id, task in self.tasks.items() if task.in_flight]

    @property
    def stopped(self) -> bool:
        return self.strict and any(task.status == "failed" for task in self.tasks.values())

    @property
    def may_start(self) -> bool:
        return self.status == "running" and not self.stopped and self.waiting is None

    @property
    def ready(self) -> list[str]:
        return [task_id for task_id in self.tasks if self._is_ready(task_id)] if self.may_start else []

    def _is_ready(self, task_id: str) -> bool:
        task = self.tasks[task_id]
        if task.status == "retrying":
            return task.due
        return task.status == "pending" and all(self._is_past(other) for other in self.specs[task_id].after)

    def _is_past(self, task_id: str) -> bool:
        status = self.tasks[task_id].status
        return status in WELL or (status in ("failed", "cancelled") and self.specs[task_id].optional)

    @property
    def is_due(self) -> bool:
        if self.holder == "live":
            return False
        if self.holder == "expired" or self.asked:
            return True
        return self.status == "pending" or bool(self.ready)

    # A driver's part

    def claimed(self) -> None:
        self.strikes += self.holder == "expired"
        self.holder = "live"
        self.waiting = None
        self.give_up()
        if self.strikes >= 3 and self.status in ("pending", "running"):
            self.park()
            return
        if self.status == "pending":
            self.status = "running"
        self.settle()

    def give_up(self) -> None:
        """Whoever made these calls is gone."""
        for task_id in self.in_flight:
            self._fail(task_id, LOST)

    def finish_waiting(self) -> None:
        """A cancel or pause that has waited takes effect, now that nothing is in flight."""

    def park(self) -> None:
        for task in self.tasks.values():
            if task.status == "retrying":
                task.status, task.record = "failed", "open"
        self.status, self.poisoned = "failed", "open"

    def start(self) -> list[str]:
        begun = self.ready
        for task_id in begun:
            task = self.tasks[task_id]
            task.status, task.in_flight, task.due, task.fresh = "running", True, False, False
            task.attempt += 1
        return begun

    def ended(self, task_id: str, outcome: str) -> None:
        self.strikes = 0
        if outcome == OK:
            task = self.tasks[task_id]
            task.status, task.in_flight, task.unknown = "success", False, False
            task.record = "resolved" if task.record else ""
        else:
            self._fail(task_id, outcome)
        self.finish_waiting()
        self.settle()

    def _fail(self, task_id: str, outcome: str) -> None:
        task, spec = self.tasks[task_id], self.specs[task_id]
        task.in_flight = False
        task.unknown = task.unknown or outcome == LOST
        again = spec.retry == "auto" or (spec.retry == "manual" and outcome == LOST)
        if again and outcome != NO and task.retries < 1:
            task.retries += 1
            task.status, task.record, task.due = "retrying", "retrying", False
        else:
            task.status, task.record = "failed", "open"

    def settle(self) -> None:
        if self.in_flight or self.status != "running" or self.waiting is not None:
            return
        if self.stopped:
            for task in self.tasks.values():
                if task.status == "retrying":
                    task.status, task.record = "cancelled", "resolved"
            self.status, self.closed = "failed", True
        elif self.ready or any(task.status == "retrying" for task in self.tasks.values()):
            return
        elif all(self._is_past(task_id) for task_id in self.tasks):
            self.status, self.closed = "success", True
        else:
            self.status = "failed"

    @property
    def is_idle(self) -> bool:
        return not self.in_flight and not self.ready
