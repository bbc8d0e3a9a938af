"""Task types: the catalog. Entries from code are shown, others are made, edited and removed through the cataloguing."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.urls import URLPattern, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from disttask_project.console.pages import ConsoleAdmin, actor_of, shown_problems, tell_error
from disttask_project.console.payloads import pretty
from disttask_project.kernel import json
from disttask_project.kernel.errors import DisttaskError, InvalidInput, NotFound, Problem
from flows import cataloguing
from flows.domain.catalog import TASK_TYPES
from flows.models import TaskDefinition
from flows.selectors import flows_using, get_task_definition, list_task_definitions

EDIT = "flows.edit_task_definition"
TRY = "execution.try_task"  # the page that tries an entry belongs to the app above
TEXTS = ("name", "type", "description", "config", "input_fields", "example")
# What the code says of its own entries and executors, which know no Django.
CODE_TEXTS = (
    gettext_noop("Take an amount from a user's balance"),
    gettext_noop("Take a quantity of an article from stock"),
    gettext_noop("Call an HTTP address"),
    gettext_noop("Say that a payment has been made"),
    gettext_noop("Inserts, updates, deletes or reads rows of a named database connection."),
    gettext_noop("Sends a request to a URL; the result is its status, headers and body."),
    gettext_noop("Sends a message to a topic."),
    gettext_noop("Does nothing and gives back its input."),
    gettext_noop("Calls a method of a service; the result is its reply."),
)
EXAMPLE_FIELDS = [{"name": "order_id", "type": "string", "required": True}]
EXAMPLE = {"order_id": "SO-1001"}


@admin.register(TaskDefinition)
class TaskDefinitionAdmin(ConsoleAdmin):
    def get_urls(self) -> list[URLPattern]:
        return [
            self.route("new/", self.form_view, "new"),
            self.route("export/", self.export_view, "export"),
            self.route("import/", self.import_view, "import"),
            self.route("<str:name>/edit/", self.form_view, "edit"),
            self.route("<str:name>/delete-entry/", self.delete_entry_view, "delete_entry"),
            *super().get_urls(),
        ]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        self.require_view(request)
        context = {
            "rows": list_task_definitions(),
            "executors": list(TASK_TYPES),
            "may_edit": request.user.has_perm(EDIT),
        }
        return self.page(request, "console/task_types.html", context | (extra_context or {}))

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """What an entry is, how it is called, and who uses it."""
        self.require_view(request)
        row = TaskDefinition.objects.filter(pk=object_id).first()
        if row is None:
            return self.gone(request, object_id)
        context = {
            "row": row,
            "used_by": flows_using(row.pk),
            "may_edit": request.user.has_perm(EDIT) and not row.is_code,
            "may_try": request.user.has_perm(TRY),
        }
        return self.page(request, "console/task_type.html", context, original=row)

    def export_view(self, request: HttpRequest) -> HttpResponse:
        """The entries that people made, as a file."""
        self.require_view(request)
        answer = HttpResponse(pretty(cataloguing.export_catalog()), content_type="application/json")
        answer["Content-Disposition"] = 'attachment; filename="task-catalog.json"'
        return answer

    def import_view(self, request: HttpRequest) -> HttpResponse:
        """Paste or choose a file; look at what it would change, then put it in."""
        self.require_view(request)
        if not request.user.has_perm(EDIT):
            raise PermissionDenied
        posted = _posted_catalog(request)
        told: list[cataloguing.Imported] = []
        problems: list[dict[str, str]] = []
        if request.method == "POST":
            confirmed = "confirm" in request.POST
            try:
                told = cataloguing.import_catalog(
                    document=_json_text(posted, "catalog"), actor=actor_of(request), dry_run=not confirmed
                )
            except DisttaskError as error:
                problems = shown_problems(error)
            else:
                if confirmed:
                    changed = sum(each.outcome != "unchanged" for each in told)
                    messages.success(request, _("The catalog is imported: %(n)d added or changed.") % {"n": changed})
                    return HttpResponseRedirect(reverse("admin:flows_taskdefinition_changelist"))
        context = {"catalog": posted, "told": told, "problems": problems}
        return self.page(request, "console/task_types_import.html", context)

    def form_view(self, request: HttpRequest, name: str = "") -> HttpResponse:
        """Make or edit an entry; a refusal comes back with its problems beside what was typed."""
        self.require_view(request)
        if not request.user.has_perm(EDIT):
            raise PermissionDenied
        row = _editable(name) if name else None
        problems: list[dict[str, str]] = []
        if request.method == "POST":
            try:
                saved = _save(request, row)
                messages.success(request, _("The task type %(name)s is saved.") % {"name": saved})
                return HttpResponseRedirect(reverse("admin:flows_taskdefinition_changelist"))
            except DisttaskError as error:
                problems = shown_problems(error)
        context = {
            "row": row,
            "values": {key: request.POST.get(key, "") for key in TEXTS} if problems else _values(row),
            "types": [entry.name for entry in TASK_TYPES],
            "used_by": flows_using(row.pk) if row else [],
            "problems": problems,
        }
        return self.page(request, "console/task_type_edit.html", context, original=row)

    def delete_entry_view(self, request: HttpRequest, name: str) -> HttpResponse:
        self.require_view(request)
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        try:
            cataloguing.delete_task_definition(name=name, actor=actor_of(request))
            messages.success(request, _("The task type %(name)s is removed.") % {"name": name})
        except DisttaskError as error:
            tell_error(request, error)
        return HttpResponseRedirect(reverse("admin:flows_taskdefinition_changelist"))


def _editable(name: str) -> TaskDefinition:
    try:
        row = get_task_definition(name)
    except NotFound as error:
        raise Http404 from error
    if row.is_code:
        raise PermissionDenied
    return row


def _values(row: TaskDefinition | None) -> dict[str, str]:
    if row is None:
        empty = dict.fromkeys(TEXTS, "")
        return empty | {"config": pretty({}), "input_fields": pretty(EXAMPLE_FIELDS), "example": pretty(EXAMPLE)}
    plain = {"name": row.name, "type": row.type, "description": row.description}
    return plain | {
        "config": pretty(row.config),
        "input_fields": pretty(row.input_fields),
        "example": pretty(row.example),
    }


def _posted_catalog(request: HttpRequest) -> str:
    file = request.FILES.get("file")
    if file is not None:
        return str(file.read().decode("utf-8", "replace"))
    return request.POST.get("catalog", "")


def _json(request: HttpRequest, name: str) -> Any:
    return _json_text(request.POST.get(name) or "null", name)


def _json_text(written: str, name: str) -> Any:
    try:
        return json.loads(written)
    except InvalidInput as error:
        problem = Problem(loc=(name,), code="bad_json", message=error.message)
        raise InvalidInput(error.message, problems=[problem], symbol=error.symbol) from error


def _save(request: HttpRequest, row: TaskDefinition | None) -> str:
    """An entry keeps its name: flows name it."""
    fields = _json(request, "input_fields")
    saved = cataloguing.save_task_definition(
        name=row.name if row else request.POST.get("name", "").strip(),
        type=request.POST.get("type", ""),
        description=request.POST.get("description", "").strip(),
        config=_json(request, "config"),
        input_fields=[] if fields is None else fields,
        example=_json(request, "example"),
        actor=actor_of(request),
    )
    return str(saved.name)
