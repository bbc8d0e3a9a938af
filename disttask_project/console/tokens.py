"""API tokens: listed, made (shown this once) and revoked, all through the services."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.urls import URLPattern, reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from disttask_project.access import services
from disttask_project.access.models import ApiToken
from disttask_project.console.pages import ConsoleAdmin, actor_of, tell_error
from disttask_project.kernel.errors import DisttaskError

MAX_ROWS = 500
ADD, DELETE = "access.add_apitoken", "access.delete_apitoken"


class TokenForm(forms.Form):
    username = forms.CharField(
        label=gettext_lazy("User"), max_length=150, widget=forms.TextInput(attrs={"list": "users"})
    )
    name = forms.CharField(label=gettext_lazy("Name"), max_length=100, required=False)
    days = forms.IntegerField(
        label=gettext_lazy("Valid for (days)"), min_value=1, max_value=services.MAX_DAYS, required=False
    )


@admin.register(ApiToken)
class ApiTokenAdmin(ConsoleAdmin):
    def get_urls(self) -> list[URLPattern]:
        return [self.route("<str:token_key>/revoke/", self.revoke_view, "revoke"), *super().get_urls()]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        self.require_view(request)
        form = TokenForm(request.POST if request.method == "POST" else None)
        made = self._make(request, form) if request.method == "POST" and form.is_valid() else ""
        context = {
            "form": TokenForm() if made else form,
            "made": made,
            "tokens": list(ApiToken.objects.select_related("user").order_by("-created")[:MAX_ROWS]),
            "users": User.objects.filter(is_active=True).order_by("username").values_list("username", flat=True)[:200],
            "now": timezone.now(),
            "may_add": request.user.has_perm(ADD),
            "may_delete": request.user.has_perm(DELETE),
        }
        return self.page(request, "console/tokens.html", context | (extra_context or {}))

    def revoke_view(self, request: HttpRequest, token_key: str) -> HttpResponse:
        self.require_view(request)
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        try:
            services.revoke_token(token_key=token_key, actor=actor_of(request))
            messages.success(request, _("The token is revoked."))
        except DisttaskError as error:
            tell_error(request, error)
        return HttpResponseRedirect(reverse("admin:access_apitoken_changelist"))

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        return self.changelist_view(request)

    @staticmethod
    def _make(request: HttpRequest, form: TokenForm) -> str:
        asked = form.cleaned_data
        try:
            return services.create_token(
                username=asked["username"], name=asked["name"], days=asked["days"], actor=actor_of(request)
            )
        except DisttaskError as error:
            tell_error(request, error)
            return ""
