"""Who is at work: drivers by their heartbeat."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from execution.models import EngineSession

# A driver beats each second or so, a cluster without work at each answered canary: every 10 s, or 15 s when busy.
ALIVE_WITHIN: Final = timedelta(seconds=20)


def alive_sessions(*, now: datetime) -> list[EngineSession]:
    """Drivers, and clusters ready to start one, that have beaten lately, the freshest first."""
    rows = EngineSession.objects.filter(heartbeat_at__gte=now - ALIVE_WITHIN).exclude(state="ended")
    return list(rows.order_by("-heartbeat_at")[:200])


def freshest_heartbeat() -> datetime | None:
    """The youngest heartbeat of all."""
    return EngineSession.objects.order_by("-heartbeat_at").values_list("heartbeat_at", flat=True).first()
