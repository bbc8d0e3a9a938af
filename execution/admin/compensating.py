"""The undo page: the plan step by step, narrowed by a person, then asked for with a reason."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext as _

from disttask_project.console.pages import ConsoleAdmin, actor_of, tell_error
from disttask_project.console.payloads import pretty
from disttask_project.kernel import json
from disttask_project.kernel.errors import DisttaskError, InvalidInput, NotFound
from execution.selectors.compensation import CompensationPlan, Undo, plan
from execution.selectors.tasks import InstanceDetail, instance_detail
from execution.services import acts

MAX_INPUT = 100_000


def compensate_view(page: ConsoleAdmin, request: HttpRequest, instance_id: str) -> HttpResponse:
    """GET shows the plan; POST asks for it, or shows what is wrong with the choice."""
    page.require_view(request)
    if not request.user.has_perm("execution.compensate_instance"):
        raise PermissionDenied
    try:
        detail = instance_detail(instance_id)
    except NotFound as error:
        raise Http404 from error
    found = plan(detail)
    if request.method != "POST":
        return _page(page, request, detail, found, posted=None, errors={})
    errors: dict[str, str] = {}
    chosen = _chosen(request.POST, found, errors)
    if not request.POST.get("reason", "").strip():
        errors["reason"] = _("Say why: this act is kept in the operations log with its reason.")
    if errors:
        return _page(page, request, detail, found, posted=request.POST, errors=errors)
    try:
        acts.compensate(instance_id=instance_id, actor=actor_of(request), **chosen)
        messages.success(request, _("It is being undone."))
    except DisttaskError as error:
        tell_error(request, error)
        return _page(page, request, detail, found, posted=request.POST, errors={})
    return HttpResponseRedirect(reverse("admin:execution_instance_change", args=[instance_id]))


def _chosen(posted: Mapping[str, Any], found: CompensationPlan, errors: dict[str, str]) -> dict[str, Any]:
    """Each task is undone, was undone outside, or is left; only a changed input counts as one."""
    choice = {undo.task_id: posted.get(f"do-{undo.task_id}", "leave") for undo in found.undo}
    inputs = {}
    for undo in found.undo:
        if choice[undo.task_id] == "undo" and (changed := _changed(posted, undo, errors)) is not None:
            inputs[undo.task_id] = changed
    taken = [task_id for task_id, what in choice.items() if what in ("undo", "outside")]
    if not taken:
        errors["plan"] = _("Choose at least one task.")
    return {
        "reason": posted.get("reason", ""),
        "tasks": None if len(taken) == len(found.undo) else taken,
        "outside": [task_id for task_id, what in choice.items() if what == "outside"],
        "inputs": inputs,
    }


def _changed(posted: Mapping[str, Any], undo: Undo, errors: dict[str, str]) -> dict[str, Any] | None:
    written = posted.get(f"input-{undo.task_id}", "").strip()
    if not written:
        return None
    try:
        value = json.loads(written[:MAX_INPUT])
    except InvalidInput as error:
        errors[f"input-{undo.task_id}"] = str(error)
        return None
    if not isinstance(value, dict):
        errors[f"input-{undo.task_id}"] = _("This must be a JSON object, { ... }.")
        return None
    return None if value == undo.input else value


def _page(
    page: ConsoleAdmin,
    request: HttpRequest,
    detail: InstanceDetail,
    found: CompensationPlan,
    *,
    posted: Mapping[str, Any] | None,
    errors: Mapping[str, str],
) -> HttpResponse:
    given = posted or {}
    rows = [
        {
            "undo": undo,
            "choice": given.get(f"do-{undo.task_id}", "undo"),
            "text": given.get(f"input-{undo.task_id}", pretty(undo.input)),
            "error": errors.get(f"input-{undo.task_id}", ""),
        }
        for undo in found.undo
    ]
    context = {
        "instance": detail.instance,
        "plan": found,
        "rows": rows,
        "errors": errors,
        "reason": given.get("reason", ""),
        "may_edit": request.user.has_perm(acts.EDIT_PERMISSION),
    }
    return page.page(request, "console/compensate.html", context, original=detail.instance)
