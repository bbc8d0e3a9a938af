"""The exception inbox: what is open, grouped by cause."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import reduce
from operator import or_
from typing import Any, Final

from django.db.models import Count, Max, Min, Q, QuerySet

from retries.models import ExceptionRecord

OPEN_STATES: Final = ("open", "acknowledged", "retrying")
# What a person has to do something about; "retrying" mends itself.
WAITING_STATES: Final = ("open", "acknowledged")
MAX_GROUPS: Final = 100
MAX_BULK: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Exceptions with one fingerprint: the same flow, task and error."""

    fingerprint: str
    flow_name: str
    task_id: str
    error_code: str
    message: str
    runbook: str
    count: int
    waiting: int
    first: datetime
    last: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenFigures:
    """How many wait, and since when the oldest does."""

    waiting: int
    retrying: int
    oldest: datetime | None


def groups(rows: QuerySet[ExceptionRecord], *, limit: int = MAX_GROUPS) -> list[Group]:
    """The groups of `rows`, those with most waiting first: two queries."""
    counted: Any = (
        rows.order_by()
        .values("fingerprint", "flow_name", "task_id", "error_code")
        .annotate(
            count=Count("pk"),
            waiting=Count("pk", filter=Q(state__in=WAITING_STATES)),
            first=Min("occurred_at"),
            last=Max("occurred_at"),
        )
        .order_by("-waiting", "-last")[:limit]
    )
    found: list[dict[str, Any]] = list(counted)
    texts = _latest_texts(found)
    nothing = ("", "")
    latest = [texts.get((entry["fingerprint"], entry["last"]), nothing) for entry in found]
    return [
        Group(**entry, message=message, runbook=runbook)
        for entry, (message, runbook) in zip(found, latest, strict=True)
    ]


def open_figures() -> OpenFigures:
    waiting = ExceptionRecord.objects.filter(state__in=WAITING_STATES)
    found = waiting.order_by().aggregate(n=Count("pk"), oldest=Min("occurred_at"))
    retrying = ExceptionRecord.objects.filter(state="retrying").count()
    return OpenFigures(waiting=found["n"], retrying=retrying, oldest=found["oldest"])


def open_rows() -> QuerySet[ExceptionRecord]:
    return ExceptionRecord.objects.filter(state__in=OPEN_STATES)


def chosen(ids: Sequence[str]) -> list[ExceptionRecord]:
    """The named exceptions, oldest first; those that are gone are left out."""
    return list(ExceptionRecord.objects.filter(pk__in=list(ids)[:MAX_BULK]).order_by("occurred_at", "pk"))


def ids_of_group(fingerprint: str) -> list[str]:
    """What waits in a group, oldest first, at most what one bulk act takes."""
    rows = ExceptionRecord.objects.filter(fingerprint=fingerprint, state__in=WAITING_STATES)
    return list(rows.order_by("occurred_at", "pk").values_list("pk", flat=True)[:MAX_BULK])


def case(exception_id: str) -> ExceptionRecord | None:
    return ExceptionRecord.objects.select_related("instance").filter(pk=exception_id).first()


def _latest_texts(found: Sequence[dict[str, Any]]) -> dict[tuple[str, datetime], tuple[str, str]]:
    if not found:
        return {}
    keys = reduce(or_, (Q(fingerprint=entry["fingerprint"], occurred_at=entry["last"]) for entry in found))
    rows = ExceptionRecord.objects.filter(keys).values_list("fingerprint", "occurred_at", "error_message", "runbook")
    return {(fingerprint, at): (message, runbook) for fingerprint, at, message, runbook in rows}
