"""What every page of ours shares: who asks, what it is drawn on, and how a service's answer is told."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from disttask_project.access.actors import actor_from_request
from disttask_project.console.theme import ThemeModelAdmin
from disttask_project.i18n import translated
from disttask_project.kernel.actor import Actor
from disttask_project.kernel.errors import DisttaskError, InvalidInput, Problem
from disttask_project.kernel.messages import text


def actor_of(request: HttpRequest) -> Actor:
    """The person behind a console request, for services to check and audit."""
    return actor_from_request(request, "console")


def tell_error(request: HttpRequest, error: DisttaskError) -> None:
    """One plain message for a refusal, with each problem of the input behind it."""
    lines = [translated(error.message)]
    lines += [f"{'.'.join(map(str, problem.loc))}: {translated(problem.message)}" for problem in error.problems]
    messages.error(request, " ".join(lines))


def shown_problems(error: DisttaskError) -> list[dict[str, str]]:
    """What a form shows beside what was typed: each problem with its place, else the refusal itself."""
    problems = [{"where": ".".join(map(str, each.loc)), "text": translated(each.message)} for each in error.problems]
    return problems or [{"where": "", "text": translated(error.message)}]


def posted_time(request: HttpRequest, name: str) -> datetime | None:
    """As a browser's field gives it: in the console's time zone, without saying so. Raises `InvalidInput`."""
    written = request.POST.get(name, "").strip()
    if not written:
        return None
    try:
        found = parse_datetime(written)
    except ValueError:
        found = None
    if found is None:
        message = text("Must be a time such as 2026-12-01T04:00.")
        raise InvalidInput(message, problems=[Problem(loc=(name,), code="wrong_type", message=message)])
    return found if timezone.is_aware(found) else timezone.make_aware(found)


class ConsoleAdmin(ThemeModelAdmin):
    """A model whose pages are ours. Rows are never written through forms of the admin: services do that."""

    def has_add_permission(self, request: HttpRequest, *_args: Any) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def require_view(self, request: HttpRequest, obj: Any = None) -> None:
        if not self.has_view_permission(request, obj):
            raise PermissionDenied

    def page(
        self, request: HttpRequest, template: str, context: dict[str, Any], *, original: Any = None
    ) -> HttpResponse:
        """A full page on the admin's base, with the crumbs of this model."""
        base = {**self.admin_site.each_context(request), "opts": self.opts, "original": original}
        base["title"] = str(original) if original is not None else self.opts.verbose_name_plural
        request.current_app = self.admin_site.name
        return TemplateResponse(request, template, base | context)

    def gone(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Back to the list with a sentence: the object is not there (any more)."""
        response: HttpResponse = self._get_obj_does_not_exist_redirect(request, self.opts, object_id)
        return response

    def route(self, pattern: str, view: Callable[..., HttpResponse], name: str) -> URLPattern:
        """A URL of ours beside the admin's own; `name` is completed to `app_model_name`."""
        full = f"{self.opts.app_label}_{self.opts.model_name}_{name}"
        found: URLPattern = path(pattern, self.admin_site.admin_view(view), name=full)
        return found
