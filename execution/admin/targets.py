"""Targets: how each answers, what its breaker says, who is parked for it; and the acts on it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.urls import URLPattern, reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from disttask_project.console.pages import ConsoleAdmin, actor_of, posted_time, tell_error
from disttask_project.kernel.errors import DisttaskError, InvalidInput, Problem
from disttask_project.kernel.messages import text
from execution.selectors.targets import MOST_PARKED, list_targets
from execution.services import targets as services
from execution.target_models import Target

ACTS = ("open", "close", "limit")


@admin.register(Target)
class TargetAdmin(ConsoleAdmin):
    def get_urls(self) -> list[URLPattern]:
        return [self.route("<str:target_id>/act/", self.act_view, "act"), *super().get_urls()]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        self.require_view(request)
        context = {
            "views": list_targets(now=datetime.now(UTC)),
            "may_operate": request.user.has_perm(services.PERMISSION),
            "most_parked": MOST_PARKED,
            "zone": timezone.get_current_timezone_name(),
        }
        return self.page(request, "console/targets.html", context | (extra_context or {}))

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        return self.changelist_view(request)

    def act_view(self, request: HttpRequest, target_id: str) -> HttpResponse:
        self.require_view(request)
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        act = request.POST.get("act", "")
        if act not in ACTS:
            return self.gone(request, target_id)
        try:
            _perform(request, target_id, act)
            messages.success(request, _told(act) % {"target": target_id})
        except DisttaskError as error:
            tell_error(request, error)
        return HttpResponseRedirect(reverse("admin:execution_target_changelist"))


def _perform(request: HttpRequest, target_id: str, act: str) -> None:
    common: dict[str, Any] = {
        "target_id": target_id,
        "reason": request.POST.get("reason", ""),
        "actor": actor_of(request),
    }
    if act == "limit":
        concurrency, rate = _number(request, "concurrency"), _number(request, "rate")
        services.limit_target(concurrency=None if concurrency is None else int(concurrency), rate=rate, **common)
    else:
        (services.open_target if act == "open" else services.close_target)(
            until=posted_time(request, "until"), **common
        )


def _told(act: str) -> str:
    if act == "open":
        return _("%(target)s gets no calls now; what needs it is parked.")
    return _("%(target)s gets calls again.") if act == "close" else _("The limits of %(target)s are set.")


def _number(request: HttpRequest, name: str) -> float | None:
    """Empty: as the configuration says."""
    written = request.POST.get(name, "").strip()
    try:
        return float(written) if written else None
    except ValueError as error:
        raise _bad(name, text("Must be a number.")) from error


def _bad(name: str, message: str) -> InvalidInput:
    return InvalidInput(message, problems=[Problem(loc=(name,), code="wrong_type", message=message)])
