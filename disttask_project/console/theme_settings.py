"""The theme's settings: brand, side menu, environment badge. Read by `settings`, so nothing here imports a model."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import NoReverseMatch, reverse
from django.utils.functional import lazy
from django.utils.translation import gettext_lazy as _

# Production is red: whoever has two windows open must see at once which one can hurt.
_BADGES = {"prod": "danger", "stag": "warning"}


def environment_badge(_request: HttpRequest) -> tuple[str, str] | None:
    """Name and colour of the environment, None where it has no name."""
    name = str(settings.DISTTASK.get("ENVIRONMENT", ""))
    return (name, _BADGES.get(name[:4].lower(), "info")) if name else None


def _link(name: str) -> Any:
    def resolve() -> str:
        try:
            return reverse(name)
        except NoReverseMatch:
            return ""

    return lazy(resolve, str)()


def _may(*permissions: str) -> Any:
    return lambda request: any(request.user.has_perm(permission) for permission in permissions)


def _superuser(request: HttpRequest) -> bool:
    return bool(request.user.is_superuser)


def _item(title: Any, icon: str, name: str, permission: Any = None) -> dict[str, Any]:
    item = {"title": title, "icon": icon, "link": _link(name)}
    return item | {"permission": permission} if permission else item


def navigation(_request: HttpRequest) -> list[dict[str, Any]]:
    """The side menu; items lead only where the user may go."""
    return [
        {
            "items": [
                _item(_("Overview"), "monitoring", "admin:index"),
                _item(
                    _("Instances"),
                    "receipt_long",
                    "admin:execution_instance_changelist",
                    _may("execution.view_instance"),
                ),
                _item(
                    _("Exceptions"),
                    "error",
                    "admin:retries_exceptionrecord_changelist",
                    _may("retries.view_exceptionrecord"),
                ),
            ]
        },
        {
            "title": _("Definitions"),
            "items": [
                _item(_("Flows"), "account_tree", "admin:flows_flow_changelist", _may("flows.view_flow")),
                _item(
                    _("Task types"),
                    "widgets",
                    "admin:flows_taskdefinition_changelist",
                    _may("flows.view_taskdefinition"),
                ),
            ],
        },
        {
            "title": _("Operations"),
            "items": [
                _item(
                    _("Operations log"), "history", "admin:audit_auditentry_changelist", _may("audit.view_auditentry")
                ),
                _item(
                    _("Workers"),
                    "memory",
                    "admin:execution_enginesession_changelist",
                    _may("execution.view_enginesession"),
                ),
                _item(
                    _("Local messages"),
                    "mail",
                    "admin:execution_localmessage_changelist",
                    _may("execution.view_localmessage"),
                ),
            ],
        },
        {
            "title": _("System"),
            "collapsible": True,
            "items": [
                _item(_("Users"), "person", "admin:auth_user_changelist", _may("auth.view_user")),
                _item(_("Groups"), "group", "admin:auth_group_changelist", _may("auth.view_group")),
                _item(_("API tokens"), "key", "admin:access_apitoken_changelist", _may("access.view_apitoken")),
                _item(_("Queue: waiting"), "queue", "admin:django_q_ormq_changelist", _superuser),
                _item(_("Queue: done"), "task_alt", "admin:django_q_success_changelist", _superuser),
                _item(_("Queue: failed"), "report", "admin:django_q_failure_changelist", _superuser),
            ],
        },
    ]


def _favicon(_request: HttpRequest) -> str:
    return static("console/favicon.svg")


UNFOLD: dict[str, Any] = {
    "SITE_TITLE": "disttask",
    "SITE_HEADER": "disttask",
    "SITE_SUBHEADER": _("Distributed transactions"),
    "SITE_URL": None,
    "SITE_SYMBOL": "hub",
    "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": _favicon}],
    "SHOW_HISTORY": False,
    "SHOW_VIEW_ON_SITE": False,
    "SHOW_LANGUAGES": True,
    "ENVIRONMENT": "disttask_project.console.theme_settings.environment_badge",
    "DASHBOARD_CALLBACK": "disttask_project.console.overview.add_panels",
    "STYLES": [lambda _request: static("console/console.css")],
    "SCRIPTS": [lambda _request: static("console/console.js")],
    "BORDER_RADIUS": "6px",
    "SIDEBAR": {
        "show_search": False,
        "command_search": False,
        "show_all_applications": False,
        "navigation": navigation,
    },
    "COLORS": {
        "primary": {
            "50": "#eff6ff",
            "100": "#dbeafe",
            "200": "#bfdbfe",
            "300": "#93c5fd",
            "400": "#60a5fa",
            "500": "#3b82f6",
            "600": "#2563eb",
            "700": "#1d4ed8",
            "800": "#1e40af",
            "900": "#1e3a8a",
            "950": "#172554",
        },
    },
}
