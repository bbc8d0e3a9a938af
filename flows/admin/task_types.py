"""Task types: the catalog. Entries from code are shown, others are edited through the services."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse

from disttask_project.console.pages import ConsoleAdmin
from flows.models import TaskDefinition

MAX_ROWS = 500


@admin.register(TaskDefinition)
class TaskDefinitionAdmin(ConsoleAdmin):
    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        self.require_view(request)
        context = {
            "rows": list(TaskDefinition.objects.order_by("name")[:MAX_ROWS]),
            "may_edit": request.user.has_perm("flows.edit_task_definition"),
        }
        return self.page(request, "console/task_types.html", context | (extra_context or {}))
