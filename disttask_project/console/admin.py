"""Users and groups in the theme's look; the queue's tables for superusers, to read only.

django-q2's own pages let whoever may see them run any importable function (schedules) and run a message a second
time; in this console the queue only wakes workers up, so nothing there is ever to be mended by hand.
"""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group, User
from django.http import HttpRequest
from django_q.models import Failure, OrmQ, Schedule, Success

from disttask_project.console import operations_log, secrets, tokens
from disttask_project.console.theme import ThemeModelAdmin, UncountedPaginator, UserForms


class ConsoleUserAdmin(ThemeModelAdmin, UserAdmin):  # type: ignore[type-arg]
    form, add_form, change_password_form = UserForms
    list_display = ("username", "is_active", "is_staff", "is_superuser", "last_login")


class ConsoleGroupAdmin(ThemeModelAdmin, GroupAdmin):
    pass


class QueueTableAdmin(ThemeModelAdmin):
    """A table of the queue: superusers read it, nobody changes it."""

    paginator = UncountedPaginator
    actions = None
    ordering: tuple[str, ...] = ("-pk",)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.is_active and request.user.is_superuser)

    has_module_permission = has_view_permission

    def has_add_permission(self, request: HttpRequest, *_args: Any) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class QueueResultAdmin(QueueTableAdmin):
    list_display = ("name", "func", "cluster", "started", "stopped")
    search_fields = ("name", "func")
    # Success and Failure are one table: their managers tell them apart.
    ordering = ("-started",)


class QueuedAdmin(QueueTableAdmin):
    list_display = ("id", "key", "lock")
    fields = ("key", "lock")


def _replace(model: Any, page: type[admin.ModelAdmin[Any]] | None) -> None:
    if admin.site.is_registered(model):
        admin.site.unregister(model)
    if page is not None:
        admin.site.register(model, page)


_replace(User, ConsoleUserAdmin)
_replace(Group, ConsoleGroupAdmin)
_replace(Success, QueueResultAdmin)
_replace(Failure, QueueResultAdmin)
_replace(OrmQ, QueuedAdmin)
_replace(Schedule, None)  # our queue carries no schedule; a form for one would only be a way in

__all__ = ["operations_log", "secrets", "tokens"]  # pages of their own, registered by being imported
