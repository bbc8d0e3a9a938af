"""Backpressure: a flow whose backlog is beyond the limit takes no new starts, instead of growing without end.

The backlog of a flow is its unfinished instances that do not wait for a person: due, running, waiting for a retry or
for a target. Whether it is beyond the limit is one walk along the claim's index, which ends at the limit; each
process asks anew at most once a second and flow, and less often where the walk itself takes long. So the limit may
be passed by what all processes start within that time.
"""

from __future__ import annotations

import threading
import time
from typing import Final

from django.conf import settings

from disttask_project.kernel.errors import TooMany
from disttask_project.kernel.messages import text
from execution.engine.loading import current_store
from execution.services.faults import telling_store_faults

SYMBOL: Final = "BACKLOG_FULL"
BELIEVED: Final = 1.0  # seconds that an answer holds
SHARE: Final = 50  # ... or this many times what it took to get it: at most 2 % of the time goes into asking
MOST_FLOWS: Final = 10_000

_lock = threading.Lock()
_known: dict[str, tuple[float, bool]] = {}  # flow -> (monotonic time until which it holds, beyond the limit)


def check_backlog(flow_id: str, *, flow_name: str) -> None:
    """Raises `TooMany` BACKLOG_FULL, with the time after which to ask again, while the backlog is beyond the limit."""
    most = int(settings.DISTTASK["LIMITS_MAX_BACKLOG"])
    if most and _is_beyond(flow_id, most):
        raise TooMany(
            text(
                "The flow {flow} has more than {most} unfinished transactions: start more when they are fewer.",
                flow=flow_name,
                most=most,
            ),
            retry_after=float(settings.DISTTASK["LIMITS_RETRY_AFTER"]),
            symbol=SYMBOL,
        )


def forget() -> None:
    """Ask the database again at the next start."""
    with _lock:
        _known.clear()


def _is_beyond(flow_id: str, most: int) -> bool:
    now = time.monotonic()
    with _lock:
        known = _known.get(flow_id)
        if known is not None and now < known[0]:
            return known[1]
        # Others of this process go on with the old answer while one asks.
        _known[flow_id] = (now + BELIEVED, known[1] if known else False)
    with telling_store_faults():
        beyond = current_store().has_backlog(flow_id, most)
    asked = time.monotonic()
    with _lock:
        if len(_known) > MOST_FLOWS:
            _known.clear()
        _known[flow_id] = (asked + max(BELIEVED, SHARE * (asked - now)), beyond)
    return beyond
