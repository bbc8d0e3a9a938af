"""The wake-up after a start: who rings is told at start-up, so that services know no queue (style 2)."""

from __future__ import annotations

from collections.abc import Callable

from django.db import transaction


def _silent() -> None:
    """Before anybody is joined: the drivers' own poll finds the work."""


_ring: Callable[[], None] = _silent


def join(ring: Callable[[], None]) -> None:
    """Name the one who rings; `execution/apps.py` does so."""
    global _ring  # noqa: PLW0603  one joint a process, set at start-up
    _ring = ring


def ring_on_commit() -> None:
    """Ring once the caller's transaction is committed. A bell that fails is logged: it costs only latency."""
    transaction.on_commit(_rung, robust=True)


def _rung() -> None:
    _ring()
