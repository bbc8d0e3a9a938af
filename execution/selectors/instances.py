"""Lists of instances: declared filters, each served by an index, and never a COUNT of the whole table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from django.db.models import Prefetch, QuerySet

from disttask_project.kernel.errors import NotFound
from disttask_project.kernel.messages import text
from disttask_project.paging import Page, PageRequest, paginate
from execution.domain.states import InstanceStatus
from execution.models import Instance, InstanceTag

ORDERINGS: Final[Mapping[str, str]] = {"created_at": "created_at", "instance_id": "pk"}
MAX_IDS: Final = 500
MOVING: Final = (InstanceStatus.PENDING, InstanceStatus.RUNNING, InstanceStatus.COMPENSATING)
OPEN_EXCEPTIONS: Final = ("open", "acknowledged", "retrying")
# Sorts behind every character an instance id may have: a prefix becomes a range of the primary key.
BEHIND_ALL: Final = "~"


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceFilter:
    """What a list may be narrowed by; None and empty mean: not narrowed. `ids` are exact, `id_prefix` begins one."""

    status: Sequence[str] = ()
    flow_id: str | None = None
    flow_name: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    error_code: str | None = None
    has_open_exception: bool | None = None
    needs_attention: bool | None = None
    closed: bool | None = None
    id_prefix: str | None = None
    ids: Sequence[str] = ()


def list_instances(*, filters: InstanceFilter | None = None, asked: PageRequest | None = None) -> Page[Instance]:
    """One page of instances with flow, version and tags: four queries at most, whatever the page size."""
    narrowed = filters or InstanceFilter()
    return paginate(
        with_names(filtered(narrowed)),
        asked or PageRequest(),
        orderings=ORDERINGS,
        default="-created_at",
        countable=_is_countable(narrowed),
    )


def filtered(filters: InstanceFilter) -> QuerySet[Instance]:
    """The rows that match, unordered; bulk acts freeze their ids from it."""
    rows = Instance.objects.all()
    plain: dict[str, Any] = {
        "flow_id": filters.flow_id,
        "flow__name": filters.flow_name,
        "created_at__gte": filters.since,
        "created_at__lt": filters.until,
        "needs_attention": filters.needs_attention,
        "closed": filters.closed,
        "status__in": list(filters.status) or None,
        "pk__in": list(filters.ids)[:MAX_IDS] or None,
    }
    rows = rows.filter(**{name: value for name, value in plain.items() if value is not None})
    if filters.id_prefix:
        rows = rows.filter(pk__gte=filters.id_prefix, pk__lt=filters.id_prefix + BEHIND_ALL)
    for key, value in filters.tags.items():
        rows = rows.filter(pk__in=InstanceTag.objects.filter(key=key, value=value).values("instance_id"))
    return _by_exceptions(rows, filters)


def with_names(rows: QuerySet[Instance]) -> QuerySet[Instance]:
    """What a list shows beside the row; definitions are left where they are."""
    return (
        rows.select_related("flow", "version")
        .defer("version__definition", "version__compiled", "version__note", "flow__description")
        .prefetch_related(Prefetch("tag_rows", queryset=InstanceTag.objects.order_by("key")))
    )


def get_instance(instance_id: str) -> Instance:
    """The instance with flow, version and tags; raises `NotFound`."""
    found = with_names(Instance.objects.filter(pk=instance_id)).first()
    if found is None:
        raise NotFound(text("There is no transaction {id}.", id=instance_id[:64]))
    return found


def _by_exceptions(rows: QuerySet[Instance], filters: InstanceFilter) -> QuerySet[Instance]:
    """`exceptions` is the reverse of a key that an upper app holds: joined by name, never imported."""
    if filters.error_code:
        failed = Instance.objects.filter(exceptions__error_code=filters.error_code)
        rows = rows.filter(pk__in=failed.values("pk"))
    if filters.has_open_exception is not None:
        parked = Instance.objects.filter(exceptions__state__in=OPEN_EXCEPTIONS).values("pk")
        rows = rows.filter(pk__in=parked) if filters.has_open_exception else rows.exclude(pk__in=parked)
    return rows


def has_come_to_rest(instance_id: str) -> bool:
    """Whether it has ended, waits for a person, or is paused; True also where there is no such instance."""
    row = Instance.objects.filter(pk=instance_id).values("status", "needs_attention", "closed").first()
    return row is None or row["closed"] or row["needs_attention"] or row["status"] not in MOVING


def _is_countable(filters: InstanceFilter) -> bool:
    """Whether one index answers the filter, so that a bounded count reads few more rows than it counts."""
    if filters.ids:
        return True
    if filters.closed is not None or filters.has_open_exception is False:
        return False
    times = filters.since is not None or filters.until is not None
    narrowed_by = [
        bool(filters.status),
        bool(filters.flow_id or filters.flow_name),
        filters.needs_attention is not None,
        bool(filters.tags),
        bool(filters.error_code),
        filters.has_open_exception is not None,
    ]
    by_prefix = bool(filters.id_prefix)
    return sum(narrowed_by) + by_prefix <= 1 and not (by_prefix and times)
