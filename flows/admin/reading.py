"""What the pages of flows read."""

from __future__ import annotations

import difflib
from typing import Any

from django.db.models import QuerySet

from disttask_project.console.payloads import pretty
from flows.models import Flow, FlowVersion

VERSION_ROWS = 100


def listed(*, name: str | None, active: str | None) -> QuerySet[Flow]:
    rows = (
        Flow.objects.filter(deleted_at=None).select_related("current").defer("current__definition", "current__compiled")
    )
    if name:
        rows = rows.filter(name__icontains=name)
    return rows if active is None else rows.filter(is_active=active == "1")


def flow(flow_id: str) -> Flow | None:
    return Flow.objects.select_related("current").filter(pk=flow_id).first()


def versions(of: Flow) -> list[FlowVersion]:
    rows = FlowVersion.objects.filter(flow=of).defer("definition", "compiled")
    return list(rows.order_by("-number")[:VERSION_ROWS])


def version(flow_id: str, number: int) -> FlowVersion | None:
    return FlowVersion.objects.filter(flow_id=flow_id, number=number).first()


def editable(of: Flow, number: str | None) -> Any:
    """The definition an edit begins with: the named version, else the newest one."""
    wanted = int(number) if number and number.isascii() and number.isdigit() else of.latest_number
    found = version(of.pk, wanted) or of.current
    return found.definition if found else {}


def diff_lines(old: FlowVersion, new: FlowVersion) -> list[tuple[str, str]]:
    """(class, line) of a unified diff of the two documents, written alike."""
    before, after = (pretty(each.definition).splitlines() for each in (old, new))
    kinds = {"+": "add", "-": "del", "@": "hunk"}
    lines = difflib.unified_diff(before, after, f"v{old.number}", f"v{new.number}", lineterm="", n=4)
    return [(kinds.get(line[:1], ""), line) for line in list(lines)[2:]]
