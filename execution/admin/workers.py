"""Workers: who drives instances, and how long ago each was last heard of."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from disttask_project.console.pages import ConsoleAdmin
from execution.models import EngineSession
from execution.selectors.drift import last_healed, reconciler
from execution.selectors.workers import ALIVE_WITHIN

MAX_ROWS = 200


@admin.register(EngineSession)
class EngineSessionAdmin(ConsoleAdmin):
    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        self.require_view(request)
        now = timezone.now()
        sessions = list(EngineSession.objects.order_by("-heartbeat_at")[:MAX_ROWS])
        rows = [{"session": session, "state": _state(session, now - ALIVE_WITHIN)} for session in sessions]
        context: dict[str, Any] = {
            "rows": rows,
            "alive": sum(row["state"] in ("ready", "running", "draining") for row in rows),
        }
        walk = reconciler()
        context |= {"reconciler": walk, "healed": last_healed(walk)}
        return self.page(request, "console/workers.html", context | (extra_context or {}))

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        return self.changelist_view(request)


def _state(session: EngineSession, oldest: Any) -> str:
    """What it says of itself, unless it has fallen silent without saying goodbye."""
    if session.state != "ended" and session.heartbeat_at < oldest:
        return "silent"
    return session.state
