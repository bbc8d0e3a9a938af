"""`/api/v1/exceptions...`."""

from __future__ import annotations

from django.urls import URLPattern, path

from retries.api import views

urlpatterns: list[URLPattern] = [
    path("exceptions", views.Exceptions.as_view(), name="exceptions"),
    path("exceptions/groups", views.ExceptionGroups.as_view(), name="exception-groups"),
    path("exceptions/<str:exception_id>", views.ExceptionCase.as_view(), name="exception"),
    path("exceptions/<str:exception_id>/retry", views.RetryException.as_view(), name="exception-retry"),
    path("exceptions/<str:exception_id>/handle", views.HandleException.as_view(), name="exception-handle"),
]
