"""Local messages: what the embedded `local` mq backend has taken, to read and not to change."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _

from disttask_project.console.listing import FilterForm, keyset_page
from disttask_project.console.pages import ConsoleAdmin
from execution.models import LocalMessage


class LocalMessageFilterForm(FilterForm):
    topic = forms.CharField(label=_("Topic"), max_length=255)
    key = forms.CharField(label=_("Idempotency key"), max_length=255)


@admin.register(LocalMessage)
class LocalMessageAdmin(ConsoleAdmin):
    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        self.require_view(request)
        form = LocalMessageFilterForm(request.GET)
        rows = LocalMessage.objects.all()
        if topic := form.value("topic"):
            rows = rows.filter(topic=topic)
        if key := form.value("key"):
            rows = rows.filter(idempotency_key=key)
        context = {"form": form, "page": keyset_page(rows, request, time="created_at")}
        return self.page(request, "console/local_messages.html", context | (extra_context or {}))

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        return self.changelist_view(request)
