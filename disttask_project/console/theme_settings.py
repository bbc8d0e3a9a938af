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
        {"items": _daily()},
        {"title": _("Definitions"), "items": _definitions()},
        {"title": _("Operations"), "items": _operations()},
        {"title": _("System"), "collapsible": True, "items": _system()},
    ]


def _list(title: Any, icon: str, model: str, permission: Any = None) -> dict[str, Any]:
    """The list page of a model, `app_model`, for who may view it."""
    app, name = model.rsplit("_", 1)
    return _item(title, icon, f"admin:{model}_changelist", permission or _may(f"{app}.view_{name}"))


def _daily() -> list[dict[str, Any]]:
    return [
        _item(_("Overview"), "monitoring", "admin:index"),
        _list(_("Instances"), "receipt_long", "execution_instance"),
        _list(_("Exceptions"), "error", "retries_exceptionrecord"),
    ]


def _definitions() -> list[dict[str, Any]]:
    return [
        _list(_("Flows"), "account_tree", "flows_flow"),
        _list(_("Task types"), "widgets", "flows_taskdefinition"),
        _list(_("Descriptor sets"), "schema", "flows_descriptorset"),
    ]


def _operations() -> list[dict[str, Any]]:
    return [
        _list(_("Operations log"), "history", "audit_auditentry"),
        _list(_("Targets"), "lan", "execution_target"),
        _list(_("Workers"), "memory", "execution_enginesession"),
        _list(_("Local messages"), "mail", "execution_localmessage"),
    ]


def _system() -> list[dict[str, Any]]:
    return [
        _list(_("Users"), "person", "auth_user"),
        _list(_("Groups"), "group", "auth_group"),
        _list(_("API tokens"), "key", "access_apitoken"),
        _list(_("Secrets"), "lock", "secretstore_storedsecret"),
        _list(_("Queue: waiting"), "queue", "django_q_ormq", _superuser),
        _list(_("Queue: done"), "task_alt", "django_q_success", _superuser),
        _list(_("Queue: failed"), "report", "django_q_failure", _superuser),
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
