"""Exception records: lists, one case, and groups of the same fault."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.db.models import Count, Max, Min, Q, QuerySet

from disttask_project.audit.models import AuditEntry
from disttask_project.kernel.errors import NotFound
from disttask_project.kernel.messages import text
from disttask_project.paging import COUNT_LIMIT, Page, PageRequest, paginate
from execution.services.reconcile import Record
from retries.models import ExceptionComment, ExceptionRecord

ORDERINGS: Final[Mapping[str, str]] = {"occurred_at": "occurred_at"}
OPEN: Final = (
    ExceptionRecord.State.OPEN,
    ExceptionRecord.State.ACKNOWLEDGED,
    ExceptionRecord.State.RETRYING,
)
MAX_GROUPS: Final = 100
MAX_COMMENTS: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class ExceptionFilter:
    """What a list may be narrowed by; None and empty mean: not narrowed."""

    handled: bool | None = None
    state: Sequence[str] = ()
    flow_id: str | None = None
    instance_id: str | None = None
    task_id: str | None = None
    error_code: str | None = None
    fingerprint: str | None = None
    assignee: str | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultGroup:
    """Open records with one fingerprint: the same fault of the same task of the same flow."""

    fingerprint: str
    count: int
    instances: int
    first_at: datetime
    last_at: datetime
    sample: ExceptionRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupCase:
    """One group, closed records included. `state` is the one that most needs a person."""

    fingerprint: str
    state: str
    by_state: Mapping[str, int]
    assignees: Sequence[str]
    due_at: datetime | None
    first_at: datetime
    last_at: datetime
    sample: ExceptionRecord


def list_exceptions(
    *, filters: ExceptionFilter | None = None, asked: PageRequest | None = None
) -> Page[ExceptionRecord]:
    """One page, the latest first; two queries at most."""
    narrowed = filters or ExceptionFilter()
    return paginate(
        filtered(narrowed),
        asked or PageRequest(),
        orderings=ORDERINGS,
        default="-occurred_at",
        countable=_is_countable(narrowed),
    )


def filtered(filters: ExceptionFilter) -> QuerySet[ExceptionRecord]:
    """The rows that match, unordered."""
    plain: dict[str, Any] = {
        "handled": filters.handled,
        "state__in": list(filters.state) or None,
        "flow_id": filters.flow_id,
        "instance_id": filters.instance_id,
        "task_id": filters.task_id,
        "error_code": filters.error_code,
        "fingerprint": filters.fingerprint,
        "assignee": filters.assignee,
        "occurred_at__gte": filters.since,
        "occurred_at__lt": filters.until,
    }
    return ExceptionRecord.objects.filter(**{name: value for name, value in plain.items() if value is not None})


def get_exception(exception_id: str) -> ExceptionRecord:
    """One record; raises `NotFound`."""
    found = ExceptionRecord.objects.filter(pk=exception_id).first()
    if found is None:
        raise NotFound(text("There is no exception {id}.", id=exception_id[:64]))
    return found


def comments_of(exception_id: str) -> list[ExceptionComment]:
    """The latest comments, oldest first; raises `NotFound` without the record."""
    found = get_exception(exception_id)
    latest = ExceptionComment.objects.filter(exception_id=found.pk).order_by("-at", "-pk")[:MAX_COMMENTS]
    return list(latest)[::-1]


def last_act(exception_id: str, *, acts: Sequence[str]) -> AuditEntry | None:
    """The last of these acts of people on the record."""
    names = [f"exception.{act}" for act in acts]
    entries = AuditEntry.objects.filter(object_type="exception", object_id=exception_id, act__in=names)
    return entries.order_by("-at", "-pk").first()


def groups(*, since: datetime | None = None, flow_id: str | None = None, limit: int = MAX_GROUPS) -> list[FaultGroup]:
    """Open records by fingerprint, the largest group first, each with its latest as a sample. Two queries."""
    rows = ExceptionRecord.objects.filter(state__in=OPEN)
    if since is not None:
        rows = rows.filter(occurred_at__gte=since)
    if flow_id is not None:
        rows = rows.filter(flow_id=flow_id)
    counted = list(
        rows.order_by()
        .values("fingerprint")
        .annotate(
            count=Count("pk"),
            instances=Count("instance_id", distinct=True),
            first_at=Min("occurred_at"),
            last_at=Max("occurred_at"),
        )
        .order_by("-count", "-last_at", "fingerprint")[: min(limit, MAX_GROUPS)]
    )
    samples = _samples(counted)
    return [FaultGroup(**row, sample=samples[row["fingerprint"]]) for row in counted]


def get_group(fingerprint: str) -> GroupCase:
    """One group by its fingerprint; raises `NotFound`. Four queries, all by the index of the fingerprint."""
    rows = ExceptionRecord.objects.filter(fingerprint=fingerprint)
    sample = rows.order_by("-occurred_at", "-pk").first()
    if sample is None:
        raise NotFound(text("There is no group of exceptions {id}.", id=fingerprint[:64]))
    counted = rows.order_by().values_list("state").annotate(count=Count("pk"))
    by_state = dict(counted)
    live = rows.filter(state__in=OPEN).order_by()
    told = live.exclude(assignee="").values_list("assignee", flat=True).distinct()
    times = rows.aggregate(first=Min("occurred_at"), due=Min("due_at", filter=Q(state__in=OPEN)))
    return GroupCase(
        fingerprint=fingerprint,
        state=next(str(state) for state in ExceptionRecord.State if str(state) in by_state),
        by_state=by_state,
        assignees=sorted(told[:MAX_GROUPS]),
        due_at=times["due"],
        first_at=times["first"],
        last_at=sample.occurred_at,
        sample=sample,
    )


def open_by_state() -> dict[str, int]:
    """How many records have each state that is not an end; each count stops at a limit."""
    rows = ExceptionRecord.objects.order_by()
    return {str(state): rows.filter(state=state).values("pk")[:COUNT_LIMIT].count() for state in OPEN}


def _samples(counted: Sequence[Mapping[str, Any]]) -> dict[str, ExceptionRecord]:
    if not counted:
        return {}
    latest = Q()
    for row in counted:
        latest |= Q(fingerprint=row["fingerprint"], occurred_at=row["last_at"])
    found = ExceptionRecord.objects.filter(latest, state__in=OPEN)
    return {record.fingerprint: record for record in found}


def _is_countable(filters: ExceptionFilter) -> bool:
    """Whether one index answers the filter, so that a bounded count reads few more rows than it counts."""
    if filters.instance_id:
        return True
    narrowed_by = [
        filters.handled is not None,
        bool(filters.state),
        bool(filters.flow_id),
        bool(filters.task_id),
        bool(filters.error_code),
        bool(filters.fingerprint),
    ]
    scanned = filters.handled is not None or filters.assignee is not None or filters.task_id
    return sum(narrowed_by) <= 1 and not scanned


def records_of(instance_ids: Sequence[str]) -> dict[str, list[Record]]:
    """All records of these instances, for the reconciler."""
    found: dict[str, list[Record]] = {}
    rows = ExceptionRecord.objects.filter(instance_id__in=list(instance_ids))
    for instance_id, task_id, run, state in rows.values_list("instance_id", "task_id", "run", "state"):
        found.setdefault(instance_id, []).append(Record(task_id=task_id, run=run, state=state))
    return found
