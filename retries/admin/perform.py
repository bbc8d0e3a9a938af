"""From the pages to the services: what a person asks about one exception."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from django.http import HttpRequest

from disttask_project.console.pages import actor_of, posted_time
from retries import services
from retries.models import ExceptionRecord


def posted(act: str, exception_id: str, request: HttpRequest) -> str:
    """Do what a form of the case page asks; "done" or "asked"."""
    reason = request.POST.get("reason", "").strip()
    common: dict[str, Any] = {"exception_id": exception_id, "actor": actor_of(request)}
    if act == "retry":
        return services.retry_exception(**common, reason=reason).state
    _FORMS[act](common, reason, request)
    return "done"


def _handle(common: dict[str, Any], reason: str, request: HttpRequest) -> None:
    resolution = request.POST.get("resolution") or ExceptionRecord.Resolution.FIXED_OUTSIDE.value
    services.handle_exception(**common, remark=reason, resolution=resolution)


def _assign(common: dict[str, Any], reason: str, request: HttpRequest) -> None:
    services.assign_exception(
        **common,
        reason=reason,
        user=request.POST.get("user", "").strip() or None,
        due_at=posted_time(request, "due_at"),
        taken_from=request.POST.get("taken_from", ""),
    )


_FORMS: Final[Mapping[str, Callable[[dict[str, Any], str, HttpRequest], object]]] = {
    "acknowledge": lambda common, reason, _request: services.acknowledge_exception(**common, reason=reason),
    "assign": _assign,
    "ignore": lambda common, reason, _request: services.ignore_exception(**common, reason=reason),
    "handle": _handle,
    "reopen": lambda common, reason, _request: services.reopen_exception(**common, reason=reason),
    "comment": lambda common, reason, _request: services.comment_exception(**common, comment=reason),
}
ACTS: Final = ("retry", *_FORMS)
