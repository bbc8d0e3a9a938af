"""Exceptions: the inbox by cause, the list, the case page, and acts on one or many."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.urls import URLPattern, reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from disttask_project.console import labels
from disttask_project.console.listing import FilterForm, keyset_page
from disttask_project.console.pages import ConsoleAdmin, actor_of, tell_error
from disttask_project.i18n import translated
from disttask_project.kernel.errors import DisttaskError
from retries import services
from retries.admin import bulk, perform
from retries.admin.case_page import case_context
from retries.models import ExceptionRecord
from retries.selectors.inbox import MAX_BULK, case, chosen, groups, ids_of_group

PERMISSIONS = {"retry": "execution.retry_instance"} | dict.fromkeys(bulk.ACTS[1:], services.HANDLE)


class ExceptionFilterForm(FilterForm):
    flow = forms.CharField(label=gettext_lazy("Flow"), max_length=255)
    state = forms.ChoiceField(
        label=gettext_lazy("State"),
        choices=[
            ("", gettext_lazy("not resolved")),
            ("all", gettext_lazy("all")),
            *labels.choices("exception"),
        ],
    )
    error_code = forms.CharField(label=gettext_lazy("Error code"), max_length=128)
    handled = forms.ChoiceField(
        label=gettext_lazy("Handled"),
        choices=[("", gettext_lazy("any")), ("0", gettext_lazy("no")), ("1", gettext_lazy("yes"))],
    )
    owner = forms.ChoiceField(
        label=gettext_lazy("Assignee"),
        choices=[
            ("", gettext_lazy("any")),
            ("mine", gettext_lazy("mine")),
            ("none", gettext_lazy("unassigned")),
            ("overdue", gettext_lazy("overdue")),
        ],
    )
    instance = forms.CharField(label=gettext_lazy("Instance ID"), max_length=64)
    fingerprint = forms.CharField(max_length=32, widget=forms.HiddenInput)

    def main_fields(self) -> list[forms.BoundField]:
        return [field for field in super().main_fields() if not field.is_hidden]

    def rows(self, *, username: str) -> Any:
        state = self.value("state")
        rows = ExceptionRecord.objects.all()
        if state is None:
            rows = rows.filter(state__in=("open", "acknowledged", "retrying"))
        elif state != "all":
            rows = rows.filter(state=state)
        plain = {
            "flow_name": "flow",
            "error_code": "error_code",
            "instance_id": "instance",
            "fingerprint": "fingerprint",
        }
        rows = rows.filter(**{column: self.value(name) for column, name in plain.items() if self.value(name)})
        owner = self.value("owner")
        if owner == "overdue":
            rows = rows.filter(due_at__lt=timezone.now())
        elif owner:
            rows = rows.filter(assignee=username if owner == "mine" else "")
        handled = self.value("handled")
        return rows if handled is None else rows.filter(handled=handled == "1")


@admin.register(ExceptionRecord)
class ExceptionRecordAdmin(ConsoleAdmin):
    def get_urls(self) -> list[URLPattern]:
        return [
            self.route("bulk/", self.bulk_view, "bulk"),
            self.route("<str:exception_id>/act/", self.act_view, "act"),
            *super().get_urls(),
        ]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        self.require_view(request)
        form = ExceptionFilterForm(request.GET)
        as_list = request.GET.get("view") == "list" or bool(form.value("fingerprint"))
        context: dict[str, Any] = {"form": form, "as_list": as_list, "may": _may(request)}
        if as_list:
            context |= {
                "page": keyset_page(
                    form.rows(username=request.user.get_username()).defer("stack_trace", "details"),
                    request,
                    time="occurred_at",
                )
            }
            context |= {"keep": {"view": "list"}, "reset": "?view=list", "now": timezone.now()}
        else:
            context["groups"] = groups(form.rows(username=request.user.get_username()))
        return self.page(request, "console/exceptions.html", context | (extra_context or {}))

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        self.require_view(request)
        found = case(object_id)
        if found is None:
            return self.gone(request, object_id)
        context = case_context(found, request) | {"may": _may(request)}
        return self.page(request, "console/case.html", context | (extra_context or {}), original=found)

    def act_view(self, request: HttpRequest, exception_id: str) -> HttpResponse:
        """One act on one exception."""
        self.require_view(request)
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        found = case(exception_id)
        act = request.POST.get("act", "")
        if found is None or act not in perform.ACTS:
            return self.gone(request, exception_id)
        try:
            state = perform.posted(act, exception_id, request)
            messages.success(request, _told(act, state))
        except DisttaskError as error:
            tell_error(request, error)
        return HttpResponseRedirect(reverse("admin:retries_exceptionrecord_change", args=[exception_id]))

    def bulk_view(self, request: HttpRequest) -> HttpResponse:
        """The page between choosing and doing: frozen ids, counts by cause, a reason; then the outcome."""
        self.require_view(request)
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        act = request.POST.get("act", "")
        if act not in bulk.ACTS or not request.user.has_perm(PERMISSIONS[act]):
            raise PermissionDenied
        group = request.POST.get("group", "")
        ids = ids_of_group(group) if group else request.POST.getlist("chosen")
        reason = request.POST.get("reason", "").strip()
        rows = chosen(ids)
        found = bulk.preview(rows, act)
        if "confirmed" in request.POST and reason:
            _tell(request, act, bulk.run(found.eligible, act, reason=reason, actor=actor_of(request)))
            return HttpResponseRedirect(reverse("admin:retries_exceptionrecord_changelist"))
        context = {
            "act": act,
            "preview": found,
            "ids": [row.pk for row in found.eligible],
            "too_many": max(0, len(ids) - MAX_BULK),
            "limit": MAX_BULK,
            "is_full": len(ids) >= MAX_BULK,
            "reason_missing": "confirmed" in request.POST,
        }
        return self.page(request, "console/bulk.html", context)


def _may(request: HttpRequest) -> dict[str, bool]:
    return {act: request.user.has_perm(permission) for act, permission in PERMISSIONS.items()}


def _told(act: str, state: str) -> str:
    if state == "asked":
        return _("Asked. A worker holds this instance and takes the act up within moments.")
    return {
        "retry": _("Retry: the task is due now."),
        "handle": _("Marked as handled."),
        "acknowledge": _("Acknowledged."),
        "assign": _("Assigned."),
        "ignore": _("Ignored until it occurs again."),
        "reopen": _("Reopened."),
        "comment": _("Comment added."),
    }[act]


def _tell(request: HttpRequest, act: str, outcome: services.Outcome) -> None:
    """One message for each kind of outcome, with its count."""
    if outcome.done:
        done = (
            ngettext("%(n)d exception retried.", "%(n)d exceptions retried.", outcome.done)
            if act == "retry"
            else ngettext("%(n)d exception marked as handled.", "%(n)d exceptions marked as handled.", outcome.done)
            if act == "handle"
            else ngettext("%(n)d exception: done.", "%(n)d exceptions: done.", outcome.done)
        )
        messages.success(request, done % {"n": outcome.done})
    if outcome.asked:
        text = ngettext("%(n)d asked of a worker.", "%(n)d asked of workers.", outcome.asked)
        messages.info(request, text % {"n": outcome.asked})
    for reason, count in outcome.refused.most_common(10):
        text = ngettext("%(n)d refused: %(reason)s", "%(n)d refused: %(reason)s", count)
        messages.warning(request, text % {"n": count, "reason": translated(reason) or _("refused")})
    if outcome.left:
        text = ngettext(
            "%(n)d not tried: out of time. Choose it again.",
            "%(n)d not tried: out of time. Choose them again.",
            outcome.left,
        )
        messages.warning(request, text % {"n": outcome.left})
