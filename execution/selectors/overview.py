"""Figures for the console's first page: bounded counts over indexes, whatever the size of the store."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.db.models import QuerySet

from execution.models import Instance
from execution.selectors.workers import alive_sessions

# Counting stops here: "10,000+" says all that a tile must say, and costs the same at any size.
COUNT_LIMIT: Final = 10_000
WAITING_ROWS: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    running: int
    failed_day: int
    attention: int
    workers: int
    any_instance: bool


def figures(*, now: datetime) -> Figures:
    return Figures(
        running=bounded_count(Instance.objects.filter(status="running")),
        failed_day=bounded_count(Instance.objects.filter(status="failed", created_at__gte=now - timedelta(days=1))),
        attention=bounded_count(Instance.objects.filter(needs_attention=True)),
        workers=len(alive_sessions(now=now)),
        any_instance=Instance.objects.exists(),
    )


def bounded_count(rows: QuerySet[Instance]) -> int:
    return rows.order_by().values("pk")[: COUNT_LIMIT + 1].count()


def waiting_for_a_person() -> list[Instance]:
    """The latest instances that need attention."""
    rows = Instance.objects.filter(needs_attention=True).select_related("flow")
    return list(rows.defer("params", "output", "flow__description").order_by("-created_at", "-id")[:WAITING_ROWS])
