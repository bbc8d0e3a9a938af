"""Whether somebody is at work."""

from __future__ import annotations

from datetime import UTC, datetime

from disttask_project.kernel.messages import Message, text
from execution.models import EngineSession
from execution.selectors.workers import alive_sessions


def heartbeat() -> Message | None:
    """A driver is alive, or none has ever run here (a web server may be first)."""
    if alive_sessions(now=datetime.now(UTC)) or not EngineSession.objects.exists():
        return None
    return text("no driver has shown a sign of life lately: is runcluster or runengine running?")
