"""Flows: the list, one flow with its versions, the editor, and the form that starts an instance."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect, JsonResponse
from django.urls import URLPattern, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from disttask_project.console.listing import FilterForm, keyset_page
from disttask_project.console.pages import ConsoleAdmin, actor_of, tell_error
from disttask_project.console.payloads import pretty
from disttask_project.i18n import translated
from disttask_project.kernel.errors import DisttaskError, Problem
from flows.admin import reading, writing
from flows.admin.drawing import drawn
from flows.models import Flow

PERMISSIONS = {
    "edit": "flows.edit_flow",
    "publish": "flows.publish_flow",
    "start": "execution.start_instance",
}
NEW_FLOW: dict[str, Any] = {
    "name": "my-flow",
    "description": "",
    "tasks": [
        {
            "id": "first",
            "task_name": "http_request",
            "description": "",
            "config": {"url": "http://target.example/", "method": "POST"},
            "retry": {"strategy": "auto", "max_attempts": 3, "interval": 5},
        }
    ],
}


class FlowFilterForm(FilterForm):
    q = forms.CharField(label=gettext_lazy("Name"), max_length=255)
    active = forms.ChoiceField(
        label=gettext_lazy("Active"),
        choices=[("", gettext_lazy("any")), ("1", gettext_lazy("yes")), ("0", gettext_lazy("no"))],
    )


@admin.register(Flow)
class FlowAdmin(ConsoleAdmin):
    search_fields = ("name",)

    def get_urls(self) -> list[URLPattern]:
        return [
            self.route("new/", self.editor_view, "new"),
            self.route("preview/", self.preview_view, "preview"),
            self.route("<str:flow_id>/edit/", self.editor_view, "edit"),
            self.route("<str:flow_id>/act/", self.act_view, "act"),
            self.route("<str:flow_id>/diff/", self.diff_view, "diff"),
            self.route("<str:flow_id>/version/<int:number>/", self.version_view, "version"),
            *super().get_urls(),
        ]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        self.require_view(request)
        form = FlowFilterForm(request.GET)
        rows = reading.listed(name=form.value("q"), active=form.value("active"))
        context = {"form": form, "page": keyset_page(rows, request, time="updated_at"), "may": _may(request)}
        return self.page(request, "console/flows.html", context | (extra_context or {}))

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        self.require_view(request)
        flow = reading.flow(object_id)
        if flow is None:
            return self.gone(request, object_id)
        context = {
            "flow": flow,
            "versions": reading.versions(flow),
            "graph": drawn(flow.current) if flow.current else "",
            "may": _may(request),
        }
        return self.page(request, "console/flow.html", context | (extra_context or {}), original=flow)

    def version_view(self, request: HttpRequest, flow_id: str, number: int) -> HttpResponse:
        self.require_view(request)
        flow, version = _flow_or_404(flow_id), reading.version(flow_id, number)
        if version is None:
            raise Http404
        context = {"flow": flow, "version": version, "graph": drawn(version), "may": _may(request)}
        return self.page(request, "console/flow_version.html", context, original=flow)

    def diff_view(self, request: HttpRequest, flow_id: str) -> HttpResponse:
        """Two versions line by line; without numbers the last two."""
        self.require_view(request)
        flow = _flow_or_404(flow_id)
        newest = flow.latest_number
        pair = [_number(request.GET.get("from"), max(1, newest - 1)), _number(request.GET.get("to"), newest)]
        old, new = (reading.version(flow_id, number) for number in pair)
        if old is None or new is None:
            raise Http404
        context = {
            "flow": flow,
            "old": old,
            "new": new,
            "versions": reading.versions(flow),
            "lines": reading.diff_lines(old, new),
            "graphs": [drawn(old, uid="old"), drawn(new, uid="new")],
        }
        return self.page(request, "console/flow_diff.html", context, original=flow)

    def editor_view(self, request: HttpRequest, flow_id: str = "") -> HttpResponse:
        """Write a new flow, or a new version of one; what is refused comes back with its problems."""
        self.require_view(request)
        if not request.user.has_perm(PERMISSIONS["edit"]):
            raise PermissionDenied
        flow = _flow_or_404(flow_id) if flow_id else None
        report: dict[str, Any] = {}
        text = request.POST.get("definition", "")
        if request.method == "POST":
            try:
                saved = writing.save(flow, text, _posted(request), actor=actor_of(request))
                messages.success(request, saved.text)
                return HttpResponseRedirect(reverse("admin:flows_flow_change", args=[saved.flow_id]))
            except DisttaskError as error:
                tell_error_shortly(request, error)
                report = {"problems": [_problem(problem) for problem in error.problems], "warnings": []}
        else:
            text = pretty(reading.editable(flow, request.GET.get("version")) if flow else NEW_FLOW)
        context = {
            "flow": flow,
            "text": text,
            "report": report,
            "posted": request.POST,
            "may": _may(request),
            "words": _editor_words(),
        }
        return self.page(request, "console/flow_edit.html", context, original=flow)

    def preview_view(self, request: HttpRequest) -> HttpResponse:
        """What is wrong with a definition, and its graph: asked while somebody types."""
        self.require_view(request)
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        checked = writing.preview(request.POST.get("definition", ""))
        return JsonResponse(
            {
                "problems": [_problem(problem) for problem in checked.problems],
                "warnings": [_problem(problem) for problem in checked.warnings],
                "svg": str(checked.svg),
            }
        )

    def act_view(self, request: HttpRequest, flow_id: str) -> HttpResponse:
        """Activate, deactivate, publish a version, or start an instance."""
        self.require_view(request)
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        flow = _flow_or_404(flow_id)
        acts: dict[str, Callable[[], str]] = {
            "activate": lambda: writing.set_active(flow, active=True, actor=actor_of(request)),
            "deactivate": lambda: writing.set_active(flow, active=False, actor=actor_of(request)),
            "publish": lambda: writing.publish(flow, _number(request.POST.get("number"), 0), actor=actor_of(request)),
        }
        act = acts.get(request.POST.get("act", ""))
        if act is None:
            raise Http404
        try:
            messages.success(request, act())
        except DisttaskError as error:
            tell_error(request, error)
        to_list = request.POST.get("back") == "list"
        target = (
            reverse("admin:flows_flow_changelist") if to_list else reverse("admin:flows_flow_change", args=[flow_id])
        )
        return HttpResponseRedirect(target)


def tell_error_shortly(request: HttpRequest, error: DisttaskError) -> None:
    """The sentence alone: the problems stand beside the editor."""
    if error.problems:
        messages.error(request, translated(error.message))
    else:
        tell_error(request, error)


def _may(request: HttpRequest) -> dict[str, bool]:
    return {name: request.user.has_perm(permission) for name, permission in PERMISSIONS.items()}


def _flow_or_404(flow_id: str) -> Flow:
    flow = reading.flow(flow_id)
    if flow is None:
        raise Http404
    return flow


def _number(text: str | None, default: int) -> int:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 10 else default


def _posted(request: HttpRequest) -> writing.Posted:
    return writing.Posted(
        note=request.POST.get("note", "").strip(),
        is_draft=request.POST.get("save") == "draft",
        base=_number(request.POST.get("base"), 0),
    )


def _problem(problem: Problem) -> dict[str, Any]:
    return {"loc": list(problem.loc), "code": problem.code, "message": translated(problem.message)}


def _editor_words() -> dict[str, str]:
    return {
        "ok": _("No problems."),
        "checking": _("Checking…"),
        "unreachable": _("The check did not answer; your text is still here."),
        "json": _("Not valid JSON"),
    }
