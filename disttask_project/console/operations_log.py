"""The operations log: read-only for everybody, superusers included."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _

from disttask_project.audit.models import AuditEntry
from disttask_project.console.listing import FilterForm, keyset_page
from disttask_project.console.pages import ConsoleAdmin


class AuditFilterForm(FilterForm):
    actor = forms.CharField(label=_("Who"), max_length=150)
    object_id = forms.CharField(label=_("Object ID"), max_length=160)
    act = forms.CharField(label=_("Act"), max_length=64)


@admin.register(AuditEntry)
class AuditEntryAdmin(ConsoleAdmin):
    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        self.require_view(request)
        form = AuditFilterForm(request.GET)
        rows = AuditEntry.objects.all()
        for name in ("actor", "act"):
            if form.value(name):
                rows = rows.filter(**{name: form.value(name)})
        if wanted := form.value("object_id"):
            # An instance's own entries and those of its tasks: both are ranges of one index.
            behind = chr(ord(":") + 1)
            kinds = rows.filter(
                object_type__in=("instance", "task", "exception", "flow", "token", "task_definition", "target")
            )
            rows = kinds.filter(object_id__gte=wanted, object_id__lt=wanted + behind)
        context = {"form": form, "page": keyset_page(rows, request, time="at")}
        return self.page(request, "console/audit.html", context | (extra_context or {}))

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        return self.changelist_view(request)
