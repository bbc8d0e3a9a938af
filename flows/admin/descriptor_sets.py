"""Descriptor sets: what gRPC services take and give. Uploaded, looked into, taken out; never edited."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.urls import URLPattern, reverse
from django.utils.translation import gettext as _

from disttask_project.console.pages import ConsoleAdmin, actor_of, tell_error
from disttask_project.kernel.errors import DisttaskError, NotFound
from flows import describing
from flows.domain.descriptors import MAX_BYTES
from flows.models import DescriptorSet


@admin.register(DescriptorSet)
class DescriptorSetAdmin(ConsoleAdmin):
    def get_urls(self) -> list[URLPattern]:
        return [
            self.route("upload/", self.upload_view, "upload"),
            self.route("<str:digest>/take-out/", self.take_out_view, "take_out"),
            *super().get_urls(),
        ]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        self.require_view(request)
        newest = describing.newest_by_service()
        sets = describing.list_descriptor_sets()
        uses = describing.uses_by_set(sets)
        rows = [
            {
                "set": row,
                "services": [
                    {**service, "counts": newest.get(service["name"]) == row.hash} for service in row.services
                ],
                "uses": uses[row.hash],
            }
            for row in sets
        ]
        context = {"rows": rows, "may_edit": request.user.has_perm(describing.EDIT)}
        return self.page(request, "console/descriptor_sets.html", context | (extra_context or {}))

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        return self.changelist_view(request)

    def upload_view(self, request: HttpRequest) -> HttpResponse:
        self._require_post(request)
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        uploaded = request.FILES.get("file")
        try:
            # One byte more than may be is enough to refuse it.
            content = b"" if uploaded is None else uploaded.read(MAX_BYTES + 1)
            row, is_new = describing.put_descriptor_set(
                content=content, name=request.POST.get("name", ""), actor=actor_of(request)
            )
        except DisttaskError as error:
            tell_error(request, error)
        else:
            told = _("The descriptor set %(name)s is kept.") if is_new else _("%(name)s was there; it counts again.")
            messages.success(request, told % {"name": row.name})
        return self._back()

    def take_out_view(self, request: HttpRequest, digest: str) -> HttpResponse:
        self._require_post(request)
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        try:
            describing.remove_descriptor_set(digest=digest, actor=actor_of(request))
            messages.success(request, _("The descriptor set is removed."))
        except NotFound:
            messages.warning(request, _("The descriptor set is not there any more."))
        except DisttaskError as error:
            tell_error(request, error)
        return self._back()

    def _require_post(self, request: HttpRequest) -> None:
        self.require_view(request)
        if not request.user.has_perm(describing.EDIT):
            raise PermissionDenied

    def _back(self) -> HttpResponse:
        return HttpResponseRedirect(reverse("admin:flows_descriptorset_changelist"))
