"""Compiled versions kept in the process, bounded by what they hold."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from flows.domain.compiled import CompiledFlow

MAX_TASKS: Final = 100_000  # of all kept versions together: some hundred megabytes at most


class VersionCache:
    """The least recently used versions go first. One object serves all threads."""

    def __init__(self, load: Callable[[str], CompiledFlow], *, max_tasks: int = MAX_TASKS) -> None:
        self._load = load
        self._max_tasks = max_tasks
        self._kept: OrderedDict[str, CompiledFlow] = OrderedDict()
        self._tasks = 0
        self._lock = threading.Lock()

    def get(self, version_id: str) -> CompiledFlow:
        """The version; loaded where it is not kept. What `load` raises is raised, and not remembered."""
        with self._lock:
            flow = self._kept.get(version_id)
            if flow is not None:
                self._kept.move_to_end(version_id)
                return flow
        # Outside the lock: two threads may load the same version once each, none waits for another's query.
        flow = self._load(version_id)
        with self._lock:
            self._keep(version_id, flow)
        return flow

    def _keep(self, version_id: str, flow: CompiledFlow) -> None:
        if version_id in self._kept:
            return
        self._kept[version_id] = flow
        self._tasks += len(flow.tasks) + 1
        while self._tasks > self._max_tasks and len(self._kept) > 1:
            _, oldest = self._kept.popitem(last=False)
            self._tasks -= len(oldest.tasks) + 1

    def __len__(self) -> int:
        return len(self._kept)
