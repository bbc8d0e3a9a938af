"""A generous limit a token (or user), so that one runaway script does not starve the others."""

from __future__ import annotations

import time
from typing import Any, Final

from django.conf import settings
from django.core.cache import cache
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

WINDOW_SECONDS: Final = 60


class ActorThrottle(BaseThrottle):
    """Counts a minute's requests a token in the cache (a process's own by default): two cheap steps, no list of times.

    A view may name a smaller limit for itself in `throttle_a_minute`.
    """

    wait_seconds: float = WINDOW_SECONDS

    def allow_request(self, request: Request, view: Any) -> bool:
        limit: int = getattr(view, "throttle_a_minute", None) or settings.DISTTASK["API_REQUESTS_A_MINUTE"]
        if not limit:
            return True
        now = time.time()
        window = int(now // WINDOW_SECONDS)
        self.wait_seconds = (window + 1) * WINDOW_SECONDS - now
        key = f"api:{_who(request)}:{getattr(view, 'throttle_scope', '')}:{window}"
        if cache.add(key, 1, timeout=WINDOW_SECONDS * 2):
            return True
        try:
            return int(cache.incr(key)) <= limit
        except ValueError:  # the key left the cache in between: a new count begins
            return True

    def wait(self) -> float:
        return self.wait_seconds


def _who(request: Request) -> str:
    token = getattr(request.auth, "token_key", None)
    return f"t:{token}" if token else f"u:{request.user.pk}"
