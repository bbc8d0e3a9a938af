"""Secrets: names, notes and dates are listed; a value goes in and is never shown again."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.urls import URLPattern, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from disttask_project.console.pages import ConsoleAdmin, actor_of, tell_error
from disttask_project.kernel.errors import DisttaskError
from disttask_project.secretstore import services
from disttask_project.secretstore.models import StoredSecret
from disttask_project.secretstore.selectors import list_secrets


class SecretForm(forms.Form):
    name = forms.CharField(
        label=gettext_lazy("Name"), max_length=64, widget=forms.TextInput(attrs={"class": "dt-mono"})
    )
    # Several lines: private keys have them. Left empty again after a refusal: no page holds a value.
    value = forms.CharField(
        label=gettext_lazy("Value"),
        strip=False,
        widget=forms.Textarea(attrs={"rows": 2, "class": "dt-mono", "autocomplete": "off", "spellcheck": "false"}),
    )
    note = forms.CharField(label=gettext_lazy("Note"), max_length=255, required=False)


@admin.register(StoredSecret)
class StoredSecretAdmin(ConsoleAdmin):
    def get_urls(self) -> list[URLPattern]:
        return [self.route("<str:name>/remove/", self.remove_view, "remove"), *super().get_urls()]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        self.require_view(request)
        posted = SecretForm(request.POST) if request.method == "POST" else None
        if posted is not None and posted.is_valid() and self._store(request, posted):
            return HttpResponseRedirect(reverse("admin:secretstore_storedsecret_changelist"))
        context = {
            "form": SecretForm() if posted is None else _without_value(posted),
            "secrets": list_secrets(),
            "may_edit": request.user.has_perm(services.EDIT),
        }
        return self.page(request, "console/secrets.html", context | (extra_context or {}))

    def remove_view(self, request: HttpRequest, name: str) -> HttpResponse:
        self.require_view(request)
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        try:
            services.delete_secret(name=name, actor=actor_of(request))
            messages.success(request, _("The secret %(name)s is removed.") % {"name": name})
        except DisttaskError as error:
            tell_error(request, error)
        return HttpResponseRedirect(reverse("admin:secretstore_storedsecret_changelist"))

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        return self.changelist_view(request)

    @staticmethod
    def _store(request: HttpRequest, form: SecretForm) -> bool:
        asked = form.cleaned_data
        try:
            services.set_secret(
                # What a browser's text box makes of line ends is not part of a key.
                value=asked["value"].replace("\r\n", "\n").rstrip("\n"),
                name=asked["name"],
                note=asked["note"],
                actor=actor_of(request),
            )
        except DisttaskError as error:
            tell_error(request, error)
            return False
        messages.success(
            request, _("The secret %(name)s is stored; engines send it within seconds.") % {"name": asked["name"]}
        )
        return True


def _without_value(form: SecretForm) -> SecretForm:
    form.data = {**{key: form.data.get(key) for key in form.fields}, "value": ""}
    return form
