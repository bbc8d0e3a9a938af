"""Acts on many exceptions at once: frozen ids, a preview, a reason, and one line for each outcome."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from disttask_project.kernel.actor import Actor
from retries.domain.states import may
from retries.models import ExceptionRecord
from retries.selectors.inbox import WAITING_STATES
from retries.services import ON_RECORDS, Outcome, act_on_each, retry_exception

ACTS: Final = ("retry", "handle", "acknowledge", "assign", "ignore")


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What the act would touch, by cause, and what it would leave alone and why."""

    eligible: Sequence[ExceptionRecord]
    causes: Sequence[tuple[tuple[str, str, str], int]]
    excluded: Sequence[tuple[str, int]]


def preview(rows: Sequence[ExceptionRecord], act: str) -> Preview:
    eligible = [row for row in rows if is_eligible(row, act)]
    causes = Counter((row.flow_name, row.task_id, row.error_code) for row in eligible)
    excluded = Counter(row.state for row in rows if not is_eligible(row, act))
    return Preview(eligible=eligible, causes=causes.most_common(), excluded=excluded.most_common())


def is_eligible(row: ExceptionRecord, act: str) -> bool:
    """Waiting ones can be retried; handled is what nobody has handled yet; else the table of states."""
    if act == "retry":
        return row.state in WAITING_STATES
    if act == "handle":
        return not row.handled and row.state != "resolved"
    return may(act, state=row.state, handled=row.handled)


def run(rows: Sequence[ExceptionRecord], act: str, *, reason: str, actor: Actor) -> Outcome:
    """The act on each of them, through its service."""
    service: Callable[..., object] = retry_exception if act == "retry" else ON_RECORDS[act]
    name = "remark" if act == "handle" else "reason"
    return act_on_each(rows, lambda row: service(exception_id=row.pk, actor=actor, **{name: reason}))
