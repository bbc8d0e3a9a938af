"""What is left of a malformed document when its faults are taken out, so that the rest is checked in the same go."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import Any, Final

from disttask_project.kernel.errors import Problem
from flows.domain.problems import Loc

STAND_IN: Final = "stand-in"
_DEPENDENCIES: Final = frozenset({"depends_on", "input_from"})
_OF_DEPENDENCIES: Final = frozenset({"not_ancestor", "join_too_large"})


class Salvage:
    """`document` has a stand-in for what is required and was faulty; `tells` says which later problems are real."""

    def __init__(self, original: dict[str, Any]) -> None:
        self._original = original
        self._faulty: set[Loc] = set()
        self._bad_ids: set[str] = set()
        self._lost_dependencies = False
        self.document: dict[str, Any] = copy.deepcopy(original)

    def take_out(self, problems: Iterable[Problem]) -> None:
        """Remove what these problems point at and fill in what a shape cannot be without."""
        for problem in problems:
            self._faulty.add(problem.loc)
            if problem.loc[:1] == ("tasks",) and len(problem.loc) > 1:
                self._mend_task(problem)
            elif problem.loc:
                self.document.pop(str(problem.loc[0]), None)
        self.document.setdefault("name", STAND_IN)

    def tells(self, problem: Problem) -> bool:
        """False for a problem that only comes from what was taken out."""
        if any(problem.loc[: len(loc)] == loc for loc in self._faulty):
            return False
        if self._lost_dependencies and problem.code in _OF_DEPENDENCIES:
            return False
        value = _value_at(self._original, problem.loc)
        return not (isinstance(value, str) and any(bad in value for bad in self._bad_ids))

    def _mend_task(self, problem: Problem) -> None:
        index = problem.loc[1]
        tasks = self.document["tasks"]
        if not isinstance(index, int) or index >= len(tasks):
            return
        task = tasks[index]
        if len(problem.loc) == 2 or not isinstance(task, dict):
            task = {}
        elif problem.code == "not_available" and problem.loc[2] == "type":
            task = {key: task[key] for key in ("id", "depends_on") if key in task}
            self._faulty.add(("tasks", index, "task_name"))
        else:
            key = str(problem.loc[2])
            lost = task.pop(key, None)
            self._lost_dependencies = self._lost_dependencies or key in _DEPENDENCIES
            if key == "id" and isinstance(lost, str) and lost:
                self._bad_ids.add(lost)
            if key == "task_name":
                self._faulty.add(("tasks", index, "config"))
        task.setdefault("id", f"{STAND_IN}-{index}")
        task.setdefault("task_name", STAND_IN)
        tasks[index] = task


def _value_at(value: Any, loc: Loc) -> Any:
    for step in loc:
        try:
            value = value[step]
        except (KeyError, IndexError, TypeError):
            return None
    return value
