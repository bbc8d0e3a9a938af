"""The first page. Each app adds its panels; this module knows none of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest
from django.utils.translation import gettext

Read = Callable[[HttpRequest], Mapping[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """A part of the overview: shown to who holds `permission`, drawn by `template` with what `read` finds."""

    order: int
    permission: str
    template: str
    read: Read


_PANELS: dict[str, Panel] = {}


def panel(*, order: int, permission: str, template: str) -> Callable[[Read], Read]:
    """Add a panel; the decorated function reads its data in a bounded number of cheap queries."""

    def add(read: Read) -> Read:
        _PANELS[template] = Panel(order=order, permission=permission, template=template, read=read)
        return read

    return add


def add_panels(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """The context of the admin index with every panel this user may see."""
    context["title"] = gettext("Overview")
    panels = sorted(_PANELS.values(), key=lambda entry: entry.order)
    context["panels"] = [
        {"template": entry.template, **entry.read(request)}
        for entry in panels
        if request.user.has_perm(entry.permission)
    ]
    return context
