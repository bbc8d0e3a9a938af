"""Acts on many exceptions at once: frozen ids, a preview, a reason, and one line for each outcome."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from django.utils.translation import gettext as _

from disttask_project.i18n import translated
from disttask_project.kernel.actor import Actor
from disttask_project.kernel.errors import DisttaskError
from retries.admin.perform import handle, retry
from retries.models import ExceptionRecord
from retries.selectors.inbox import WAITING_STATES

ACTS: Final = ("retry", "handle")
# One request must end before the web server's own limit; what is left is said, not silently dropped.
TIME_LIMIT: Final = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What the act would touch, by cause, and what it would leave alone and why."""

    eligible: Sequence[ExceptionRecord]
    causes: Sequence[tuple[tuple[str, str, str], int]]
    excluded: Sequence[tuple[str, int]]


@dataclass(slots=True, kw_only=True)
class Outcome:
    done: int = 0
    asked: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    left: int = 0


def preview(rows: Sequence[ExceptionRecord], act: str) -> Preview:
    eligible = [row for row in rows if is_eligible(row, act)]
    causes = Counter((row.flow_name, row.task_id, row.error_code) for row in eligible)
    excluded = Counter(row.state for row in rows if not is_eligible(row, act))
    return Preview(eligible=eligible, causes=causes.most_common(), excluded=excluded.most_common())


def is_eligible(row: ExceptionRecord, act: str) -> bool:
    """Waiting ones can be retried; handled is what nobody has handled yet."""
    return row.state in WAITING_STATES if act == "retry" else not row.handled and row.state != "resolved"


def run(rows: Sequence[ExceptionRecord], act: str, *, reason: str, actor: Actor) -> Outcome:
    """Each by itself through the service: one that is refused stops no other."""
    perform: Callable[..., str] = retry if act == "retry" else handle
    outcome = Outcome()
    deadline = time.monotonic() + TIME_LIMIT
    for index, row in enumerate(rows):
        if time.monotonic() > deadline:
            outcome.left = len(rows) - index
            break
        try:
            state = perform(row, reason=reason, actor=actor)
            outcome.asked += state == "asked"
            outcome.done += state != "asked"
        except DisttaskError as error:
            outcome.refused[translated(error.message) or _("refused")] += 1
    return outcome
