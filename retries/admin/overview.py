"""The exceptions' panels of the overview."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest

from disttask_project.console.overview import panel
from retries.selectors.inbox import groups, open_figures, open_rows

TOP_GROUPS = 8


@panel(order=20, permission="retries.view_exceptionrecord", template="console/panels/groups.html")
def groups_panel(_request: HttpRequest) -> dict[str, Any]:
    return {"open": open_figures(), "groups": groups(open_rows(), limit=TOP_GROUPS)}
