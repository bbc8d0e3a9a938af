"""Which task may be undone next: the graph walked backwards, in O(tasks + edges) for a whole compensation.

A task may be undone once nothing that came after it is still to be undone, also where what stands between them has
nothing to undo itself.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from flows.domain.compiled import CompiledFlow


@dataclass(slots=True)
class UndoPlan:
    """`open` are the tasks still to be undone; `waits` counts for each the dependents that are not clear of them."""

    flow: CompiledFlow
    open: set[str]
    waits: dict[str, int]

    def ready(self) -> list[str]:
        """All that may be undone now, in the order of the graph backwards."""
        return [
            task_id for task_id in reversed(list(self.flow.tasks)) if task_id in self.open and not self.waits[task_id]
        ]

    def close(self, task_id: str) -> list[str]:
        """One is undone, or left as it is: gives those that may be undone now because of it."""
        if task_id not in self.open:
            return []
        self.open.discard(task_id)
        freed: list[str] = []
        clear = [] if self.waits[task_id] else [task_id]
        while clear:
            for dependency in self.flow.tasks[clear.pop()].depends_on:
                self.waits[dependency] -= 1
                if self.waits[dependency] == 0:
                    (freed if dependency in self.open else clear).append(dependency)
        return freed


def undo_plan(flow: CompiledFlow, open_: Collection[str]) -> UndoPlan:
    """The plan of an instance in which these tasks are still to be undone."""
    plan = UndoPlan(flow=flow, open=set(open_), waits={})
    for task_id in reversed(list(flow.tasks)):
        waiting = 0
        for dependent in flow.dependents.get(task_id, ()):
            waiting += bool(plan.waits[dependent]) or dependent in plan.open
        plan.waits[task_id] = waiting
    return plan


def later_than(flow: CompiledFlow, task_id: str) -> list[str]:
    """Every task that depends on this one, directly or not, in the order of the graph."""
    found = {task_id}
    for other in flow.tasks.values():
        if not found.isdisjoint(other.depends_on):
            found.add(other.id)
    return [other for other in flow.tasks if other in found and other != task_id]
