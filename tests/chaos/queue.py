"""A broker that treats wake-ups as DISTTASK_CHAOS_QUEUE says: drop, double, delay, shuffle. Canaries pass."""

from __future__ import annotations

import os
import random
from datetime import timedelta
from typing import Any, Final

from django.utils import timezone
from django_q.brokers.orm import ORM

DROPPED: Final = 0.9  # of them: what rings once a second comes through in the end
COPIES: Final = 10
DELAY: Final = timedelta(seconds=6)


class FaultyBroker(ORM):  # type: ignore[misc]
    """The queue's own, but for what it does to messages that call `drive`."""

    def enqueue(self, task: Any) -> Any:
        mode = os.environ.get("DISTTASK_CHAOS_QUEUE", "")
        # The payload is a signed pickle: the function's name stands in it compressed or not, so ask the caller.
        if not mode or not _wakes(task):
            return super().enqueue(task)
        if mode == "drop" and random.random() < DROPPED:
            return 0
        if mode == "double":
            for _ in range(COPIES - 1):
                super().enqueue(task)
        if mode in ("delay", "shuffle"):
            late = DELAY * (random.random() if mode == "shuffle" else 1)
            row = self.get_connection().create(key=self.list_key, payload=task, lock=timezone.now() + late)
            return row.pk
        return super().enqueue(task)


def _wakes(task: Any) -> bool:
    from django_q.signing import SignedPackage

    return bool(SignedPackage.loads(task)["func"] == "execution.jobs.drive")
