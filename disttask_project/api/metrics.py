"""`/metrics` for Prometheus: each app adds a collector that reads its gauges from the database when asked.

Closed by default: open to this host itself, and to whoever holds the permission to view instances.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Any, ClassVar, Final

from django.http import HttpResponse
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from rest_framework.request import Request

from disttask_project.api.views import ApiView, Permitted

REGISTRY: Final = CollectorRegistry(auto_describe=False)
_PROXY_HEADERS: Final = ("HTTP_X_FORWARDED_FOR", "HTTP_FORWARDED", "HTTP_X_REAL_IP")


class PermittedOrLocal(Permitted):
    """A proxy on this host makes everybody look local: its headers take that away."""

    def has_permission(self, request: Request, view: Any) -> bool:
        return _is_local(request) or super().has_permission(request, view)


class Metrics(ApiView):
    """What Prometheus scrapes."""

    tag = "operations"
    summaries: ClassVar[Mapping[str, str]] = {"GET": "Metrics"}
    permission_classes = (PermittedOrLocal,)
    permissions: ClassVar[Mapping[str, str]] = {"GET": "execution.view_instance"}

    def perform_content_negotiation(self, request: Request, force: bool = False) -> Any:
        # Prometheus accepts its own formats only, which no renderer here is asked for.
        return super().perform_content_negotiation(request, force=True)

    def get(self, request: Request) -> HttpResponse:
        return HttpResponse(generate_latest(REGISTRY), content_type=CONTENT_TYPE_PLAIN_0_0_4)


def _is_local(request: Request) -> bool:
    if any(request.META.get(header) for header in _PROXY_HEADERS):
        return False
    try:
        return ipaddress.ip_address(request.META.get("REMOTE_ADDR", "")).is_loopback
    except ValueError:
        return False
