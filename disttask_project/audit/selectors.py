"""Reading the operations log."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from disttask_project.audit.models import AuditEntry
from disttask_project.paging import Page, PageRequest, paginate


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditFilter:
    """What the log may be narrowed by; None: not narrowed."""

    actor: str | None = None
    act: str | None = None
    object_type: str | None = None
    object_id: str | None = None
    source: str | None = None
    since: datetime | None = None
    until: datetime | None = None


def list_entries(*, filters: AuditFilter, asked: PageRequest) -> Page[AuditEntry]:
    """One page, the latest first; counted only where an index answers."""
    plain: dict[str, Any] = {
        "actor": filters.actor,
        "act": filters.act,
        "object_type": filters.object_type,
        "object_id": filters.object_id,
        "source": filters.source,
        "at__gte": filters.since,
        "at__lt": filters.until,
    }
    rows = AuditEntry.objects.filter(**{name: value for name, value in plain.items() if value is not None})
    scanned = (filters.act, filters.source, filters.object_id if filters.object_type is None else None)
    return paginate(rows, asked, orderings={"at": "at"}, default="-at", countable=not any(scanned))
