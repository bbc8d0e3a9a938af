"""Health, metrics, documentation, and the endpoints that belong to no app; `urls.py` of the project joins the apps'."""

from __future__ import annotations

from django.urls import URLPattern, path

from disttask_project.api import docs, health, metrics, operations, secrets

root_urlpatterns: list[URLPattern] = [
    path("health", health.health, name="health"),
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
    path("metrics", metrics.Metrics.as_view(), name="metrics"),
    path("api/schema", docs.Schema.as_view(), name="api-schema"),
    path("api/docs", docs.Docs.as_view(), name="api-docs"),
]
urlpatterns: list[URLPattern] = [
    path("audit", operations.Audit.as_view(), name="audit"),
    path("tokens", operations.Tokens.as_view(), name="tokens"),
    path("tokens/<str:key>", operations.Token.as_view(), name="token"),
    path("secrets", secrets.Secrets.as_view(), name="secrets"),
    path("secrets/<str:name>", secrets.Secret.as_view(), name="secret"),
]
