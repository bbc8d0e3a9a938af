"""The form that starts an instance by hand."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext as _

from disttask_project.console.pages import ConsoleAdmin, actor_of, shown_problems
from disttask_project.console.payloads import pretty
from disttask_project.kernel import json
from disttask_project.kernel.errors import DisttaskError
from execution.services.start import Started, start_instance
from flows.models import Flow


def start_view(page: ConsoleAdmin, request: HttpRequest) -> HttpResponse:
    """GET shows the form for `?flow=`; POST starts, or shows what was wrong beside what was typed."""
    if not request.user.has_perm("execution.start_instance"):
        raise PermissionDenied
    given = request.POST if request.method == "POST" else request.GET
    name = given.get("flow", "")
    problems: list[dict[str, str]] = []
    if request.method == "POST":
        try:
            started = _start(request, name)
        except DisttaskError as error:
            problems = shown_problems(error)
        else:
            known = _("This start was made before; here is how it stands.")
            messages.success(request, _("Started.") if started.created else known)
            return HttpResponseRedirect(reverse("admin:execution_instance_change", args=[started.instance_id]))
    flow = Flow.objects.select_related("current").filter(live_name=name).first() if name else None
    context: dict[str, Any] = {
        "flow": flow,
        "flow_name": name,
        "names": Flow.objects.filter(deleted_at=None, is_active=True)
        .order_by("name")
        .values_list("name", flat=True)[:200],
        "schema": flow.current.definition.get("input_schema") if flow and flow.current else None,
        "params": given.get("params") or pretty({}),
        "instance_id": given.get("instance_id", ""),
        "problems": problems,
    }
    return page.page(request, "console/start.html", context)


def _start(request: HttpRequest, name: str) -> Started:
    params = json.loads(request.POST.get("params") or "{}")
    wanted = request.POST.get("instance_id", "").strip() or None
    return start_instance(actor=actor_of(request), flow_name=name, params=params, instance_id=wanted)
