"""The engine's panels of the overview."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.utils import timezone

from disttask_project.console.overview import panel
from execution.selectors.overview import COUNT_LIMIT, figures, waiting_for_a_person


@panel(order=10, permission="execution.view_instance", template="console/panels/figures.html")
def figures_panel(_request: HttpRequest) -> dict[str, Any]:
    return {"figures": figures(now=timezone.now()), "limit": COUNT_LIMIT}


@panel(order=30, permission="execution.view_instance", template="console/panels/waiting.html")
def waiting_panel(_request: HttpRequest) -> dict[str, Any]:
    return {"instances": waiting_for_a_person()}
