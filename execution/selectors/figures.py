"""Counts for metrics and `/stats`: bounded, over indexes, whatever the size of the store."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from django.db.models import QuerySet

from execution.domain.states import InstanceStatus
from execution.models import Instance
from execution.selectors.workers import alive_sessions

LIMIT: Final = 10_000
OPEN: Final = (
    InstanceStatus.PENDING,
    InstanceStatus.RUNNING,
    InstanceStatus.PAUSED,
    InstanceStatus.COMPENSATING,
)


def open_by_status() -> dict[str, int]:
    """How many instances have each status that is not an end."""
    return {str(status): _count(Instance.objects.filter(status=status)) for status in OPEN}


def needing_attention() -> int:
    return _count(Instance.objects.filter(needs_attention=True))


def start_lag(*, now: datetime) -> float:
    """Seconds that the oldest instance which nobody has taken up yet has waited; 0 when none waits."""
    pending = Instance.objects.filter(status=InstanceStatus.PENDING).order_by("created_at")
    oldest = pending.values_list("created_at", flat=True).first()
    return 0.0 if oldest is None else max(0.0, (now - oldest).total_seconds())


def drivers(*, now: datetime) -> int:
    return len(alive_sessions(now=now))


def in_flight(*, now: datetime) -> int:
    return sum(session.in_flight for session in alive_sessions(now=now))


def last_day(*, now: datetime) -> Mapping[str, int]:
    """Instances created in the last 24 hours, by how they stand; each count stops at the limit."""
    since = now - timedelta(days=1)
    return {
        str(status): _count(Instance.objects.filter(status=status, created_at__gte=since)) for status in InstanceStatus
    }


def of_flow(flow_id: str, *, now: datetime) -> Mapping[str, int]:
    """The last day of one flow, from its latest instances."""
    since = now - timedelta(days=1)
    latest = Instance.objects.filter(flow_id=flow_id, created_at__gte=since).order_by("-created_at")
    counts = {str(status): 0 for status in InstanceStatus}
    for status in latest.values_list("status", flat=True)[:LIMIT]:
        counts[status] = counts.get(status, 0) + 1
    return counts


def _count(rows: QuerySet[Any]) -> int:
    return rows.order_by().values("pk")[:LIMIT].count()
