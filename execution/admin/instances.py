"""Instances: the list, and the run page with everything a person needs at night in one place."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any, Final

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from disttask_project.console import labels
from disttask_project.console.listing import FilterForm, keyset_page
from disttask_project.console.pages import ConsoleAdmin, actor_of, tell_error
from disttask_project.console.payloads import pretty
from disttask_project.kernel.errors import DisttaskError, NotFound
from disttask_project.kernel.ids import INSTANCE_ID
from execution.admin import run_context
from execution.admin.acts import ActForm
from execution.admin.compensating import compensate_view
from execution.admin.failures import failures_view
from execution.admin.perform import perform
from execution.admin.starting import start_view
from execution.admin.trying import try_view
from execution.models import Instance, Task
from execution.selectors.instances import MAX_IDS, InstanceFilter, filtered, get_instance, with_names
from execution.selectors.run_page import attempts_of, read_run, version_mark
from execution.selectors.tasks import TaskView, get_task
from execution.services.acts import EDIT_PERMISSION
from flows.models import Flow

_SEPARATORS: Final = re.compile(r"[\s,;，；]+")
_PERIODS: Final = {"1h": timedelta(hours=1), "24h": timedelta(days=1), "7d": timedelta(days=7)}


class InstanceFilterForm(FilterForm):
    q = forms.CharField(
        label=_("Instance IDs"),
        widget=forms.Textarea(attrs={"rows": 1, "placeholder": _("Start of an ID, or up to 500 IDs, one a line")}),
        max_length=40_000,
    )
    status = forms.ChoiceField(label=_("Status"), choices=[("", _("any")), *labels.choices("instance")])
    flow = forms.CharField(label=_("Flow"), max_length=255, widget=forms.TextInput(attrs={"list": "flow-names"}))
    attention = forms.ChoiceField(
        label=_("Attention"), choices=[("", _("any")), ("1", _("waits for a person")), ("0", _("does not"))]
    )
    period = forms.ChoiceField(
        label=_("Started"),
        choices=[("", _("any time")), ("1h", _("last hour")), ("24h", _("last 24 hours")), ("7d", _("last 7 days"))],
    )
    error_code = forms.CharField(label=_("Error code"), max_length=128)
    more = ("error_code",)

    def ids(self) -> list[str]:
        return [part for part in _SEPARATORS.split(self.value("q") or "") if part]


def _filters(form: InstanceFilterForm) -> InstanceFilter:
    ids = form.ids()
    period = _PERIODS.get(form.value("period") or "")
    attention = form.value("attention")
    return InstanceFilter(
        status=[form.value("status")] if form.value("status") else (),
        flow_name=form.value("flow"),
        since=timezone.now() - period if period else None,
        error_code=form.value("error_code"),
        needs_attention=None if attention is None else attention == "1",
        id_prefix=ids[0] if len(ids) == 1 else None,
        ids=ids[:MAX_IDS] if len(ids) > 1 else (),
    )


@admin.register(Instance)
class InstanceAdmin(ConsoleAdmin):
    search_fields = ("id",)

    def get_urls(self) -> list[URLPattern]:
        return [
            self.route("start/", self.start_view, "start"),
            self.route("try/<str:task_name>/", self.try_view, "try"),
            self.route("failures/<str:flow_id>/<int:number>/", self.failures_view, "failures"),
            self.route("<str:instance_id>/live/", self.live_view, "live"),
            self.route("<str:instance_id>/act/", self.act_view, "act"),
            self.route("<str:instance_id>/attempts/<str:task_id>/", self.attempts_view, "attempts"),
            self.route("<str:instance_id>/compensate/", self.compensate_view, "compensate"),
            self.route("<str:instance_id>/change-input/<str:task_id>/", self.change_input_view, "change_input"),
            *super().get_urls(),
        ]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        self.require_view(request)
        form = InstanceFilterForm(request.GET)
        ids = form.ids()
        wrong = [part for part in ids if not INSTANCE_ID.fullmatch(part)]
        rows = filtered(_filters(form))
        if ids and len(wrong) == len(ids):
            rows = rows.none()
        many = len(ids) > 1
        page = keyset_page(
            with_names(rows).defer("params", "output"), request, time="created_at", size=MAX_IDS if many else 50
        )
        missing = [part for part in ids[:MAX_IDS] if part not in {row.pk for row in page.rows}] if many else []
        context = {
            "form": form,
            "page": page,
            "rows": [{"instance": row, "tasks": tasks} for row, tasks in _with_tasks(list(page.rows))],
            "flow_names": Flow.objects.filter(deleted_at=None).order_by("name").values_list("name", flat=True)[:200],
            "too_many": max(0, len(ids) - MAX_IDS),
            "missing": missing,
            "views": _saved_views(),
            "may_start": request.user.has_perm("execution.start_instance"),
        }
        return self.page(request, "console/instances.html", context | (extra_context or {}))

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        self.require_view(request)
        try:
            run = read_run(object_id, now=timezone.now())
        except NotFound:
            return self.gone(request, object_id)
        context = run_context.build(run, request)
        return self.page(request, "console/run.html", context | (extra_context or {}), original=run.instance)

    def try_view(self, request: HttpRequest, task_name: str) -> HttpResponse:
        return try_view(self, request, task_name)

    def failures_view(self, request: HttpRequest, flow_id: str, number: int) -> HttpResponse:
        return failures_view(self, request, flow_id, number)

    def start_view(self, request: HttpRequest) -> HttpResponse:
        return start_view(self, request)

    def live_view(self, request: HttpRequest, instance_id: str) -> HttpResponse:
        """The live part of the run page; 204 while nothing has changed since `rev`."""
        self.require_view(request)
        now = timezone.now()
        mark = version_mark(instance_id, now=now)
        if mark is None:
            raise Http404
        if mark == request.GET.get("rev"):
            return HttpResponse(status=204)
        run = read_run(instance_id, now=now)
        return TemplateResponse(request, "console/run_live.html", run_context.build(run, request))

    def attempts_view(self, request: HttpRequest, instance_id: str, task_id: str) -> HttpResponse:
        """The attempts of one task with request and answer, loaded when somebody opens them."""
        self.require_view(request)
        _instance, task = _found(instance_id, task_id)
        context = {"task": task, "attempts": attempts_of(instance_id, task_id)}
        return TemplateResponse(request, "console/run_attempts.html", context)

    def change_input_view(self, request: HttpRequest, instance_id: str, task_id: str) -> HttpResponse:
        """Retry with changed input: a page of its own, filled with what was sent last."""
        self.require_view(request)
        if not request.user.has_perm(EDIT_PERMISSION):
            raise PermissionDenied
        instance, task = _found(instance_id, task_id)
        return self._input_page(request, instance, task, errors={}, posted=None)

    def compensate_view(self, request: HttpRequest, instance_id: str) -> HttpResponse:
        """What would be undone, step by step, to be looked at and narrowed before anything happens."""
        return compensate_view(self, request, instance_id)

    def act_view(self, request: HttpRequest, instance_id: str) -> HttpResponse:
        """One act, through the service; whoever lost a race is told who won."""
        self.require_view(request)
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        form = ActForm(request.POST)
        if not form.is_valid():
            if form.data.get("act") == "retry_changed":
                instance, task = _found(instance_id, str(form.data.get("task_id", "")))
                return self._input_page(request, instance, task, errors=form.errors, posted=form.data)
            messages.error(request, " ".join(str(error) for errors in form.errors.values() for error in errors))
        else:
            try:
                level, text = perform(instance_id, form.cleaned_data, actor_of(request))
                messages.add_message(request, level, text)
            except DisttaskError as error:
                tell_error(request, error)
        return HttpResponseRedirect(reverse("admin:execution_instance_change", args=[instance_id]))

    def _input_page(
        self, request: HttpRequest, instance: Instance, task: TaskView, *, errors: Any, posted: Any
    ) -> HttpResponse:
        given = {"input": (_("Input"), task.input_data, 12), "config": (_("Config"), task.config, 8)}
        fields = [
            {
                "name": name,
                "label": label,
                "rows": rows,
                "text": posted.get(name, "") if posted else pretty({} if value is None else value),
                "errors": errors.get(name, ()),
            }
            for name, (label, value, rows) in given.items()
        ]
        context = {"instance": instance, "task": task, "fields": fields, "errors": errors, "posted": posted}
        return self.page(request, "console/change_input.html", context, original=instance)


def _found(instance_id: str, task_id: str) -> tuple[Instance, TaskView]:
    try:
        instance = get_instance(instance_id)
        return instance, get_task(instance, task_id)
    except NotFound as error:
        raise Http404 from error


def _with_tasks(rows: list[Instance]) -> list[tuple[Instance, list[Task]]]:
    """Each row with the task that holds it up: one query for the page."""
    open_ids = [row.pk for row in rows if row.status not in ("success", "cancelled", "pending")]
    held: dict[str, list[Task]] = {}
    light = Task.objects.only("instance_id", "task_id", "status", "error_code", "next_at", "name")
    for task in light.filter(instance_id__in=open_ids, status__in=("failed", "unknown", "retrying", "running"))[:2000]:
        held.setdefault(task.instance_id, []).append(task)
    rank = {"failed": 0, "unknown": 1, "retrying": 2, "running": 3}
    return [(row, sorted(held.get(row.pk, []), key=lambda task: rank[task.status])) for row in rows]


def _saved_views() -> list[tuple[str, Any]]:
    return [
        ("", _("All")),
        ("?attention=1", _("Waiting for a person")),
        ("?status=running", _("Running")),
        ("?status=failed&period=24h", _("Failed today")),
    ]
