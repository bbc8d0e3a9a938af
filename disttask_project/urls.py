from __future__ import annotations

from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path
from django.views.generic import RedirectView

from disttask_project.api.health import add_check
from disttask_project.api.metrics import REGISTRY
from disttask_project.api.urls import root_urlpatterns
from execution.api.metrics import EngineCollector
from execution.api.readiness import heartbeat
from retries.api.metrics import ExceptionCollector

# What the apps add to /readyz and /metrics: joined here, above them all.
add_check("driver", heartbeat)
REGISTRY.register(EngineCollector())
REGISTRY.register(ExceptionCollector())

handler400 = "disttask_project.api.errors.bad_request"
handler403 = "disttask_project.api.errors.permission_denied"
handler404 = "disttask_project.api.errors.not_found"
handler500 = "disttask_project.api.errors.server_error"

api_v1: list[URLPattern | URLResolver] = [
    path("", include("flows.api.urls")),
    path("", include("execution.api.urls")),
    path("", include("retries.api.urls")),
    path("", include("disttask_project.api.urls")),
]
urlpatterns: list[URLPattern | URLResolver] = [
    path("", RedirectView.as_view(pattern_name="admin:index")),
    path("admin/", admin.site.urls),
    path("i18n/", include("django.conf.urls.i18n")),
    path("api/v1/", include(api_v1)),
    *root_urlpatterns,
]
