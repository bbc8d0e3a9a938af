"""The form that tries a task type once, with request and response side by side."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse

from disttask_project.console.pages import ConsoleAdmin, actor_of, shown_problems
from disttask_project.console.payloads import pretty
from disttask_project.kernel import json
from disttask_project.kernel.errors import DisttaskError, InvalidInput, Problem
from disttask_project.kernel.messages import text
from execution.services import trying
from flows.selectors import load_catalog


def try_view(page: ConsoleAdmin, request: HttpRequest, task_name: str) -> HttpResponse:
    """GET shows the form with the entry's example; POST calls, or shows what was wrong beside what was typed."""
    if not request.user.has_perm(trying.PERMISSION):
        raise PermissionDenied
    entry = load_catalog().find(task_name)
    if entry is None:
        raise Http404
    tried: trying.Tried | None = None
    problems: list[dict[str, str]] = []
    if request.method == "POST":
        try:
            tried = trying.try_task(
                task_name=task_name,
                config=_object(request, "config"),
                input=_object(request, "input"),
                reason=request.POST.get("reason", "")[:2000],
                actor=actor_of(request),
            )
        except DisttaskError as error:
            problems = shown_problems(error)
    context: dict[str, Any] = {
        "entry": entry,
        "config": request.POST.get("config") or pretty({}),
        "input": request.POST.get("input") or pretty(entry.example or {}),
        "reason": request.POST.get("reason", ""),
        "problems": problems,
        "tried": tried,
    }
    return page.page(request, "console/try_task.html", context)


def _object(request: HttpRequest, name: str) -> dict[str, Any]:
    try:
        value = json.loads(request.POST.get(name) or "{}")
    except InvalidInput as error:
        problem = Problem(loc=(name,), code="bad_json", message=error.message)
        raise InvalidInput(error.message, problems=[problem], symbol=error.symbol) from error
    if not isinstance(value, dict):
        raise InvalidInput(
            text("Must be an object."),
            problems=[Problem(loc=(name,), code="wrong_type", message=text("Must be an object."))],
        )
    return value
