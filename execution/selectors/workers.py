"""Who is at work: drivers by their heartbeat."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from execution.models import EngineSession

# A driver beats each second or so; three missed renewals of a lease are more than a slow commit explains.
ALIVE_WITHIN: Final = timedelta(seconds=15)


def alive_sessions(*, now: datetime) -> list[EngineSession]:
    """Drivers that have beaten lately, the freshest first."""
    rows = EngineSession.objects.filter(heartbeat_at__gte=now - ALIVE_WITHIN).exclude(state="ended")
    return list(rows.order_by("-heartbeat_at")[:200])


def freshest_heartbeat() -> datetime | None:
    """The youngest heartbeat of all."""
    return EngineSession.objects.order_by("-heartbeat_at").values_list("heartbeat_at", flat=True).first()
