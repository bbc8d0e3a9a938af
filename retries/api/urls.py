"""`/api/v1/exceptions...`."""

from __future__ import annotations

from django.urls import URLPattern, path

from retries.api import acts, views

urlpatterns: list[URLPattern] = [
    path("exceptions", views.Exceptions.as_view(), name="exceptions"),
    path("exceptions/groups", views.ExceptionGroups.as_view(), name="exception-groups"),
    path("exceptions/groups/<str:fingerprint>", views.GroupOfExceptions.as_view(), name="exception-group"),
    path("exceptions/groups/<str:fingerprint>/<str:act>", acts.GroupAct.as_view(), name="exception-group-act"),
    path("exceptions/<str:exception_id>", views.ExceptionCase.as_view(), name="exception"),
    path("exceptions/<str:exception_id>/retry", views.RetryException.as_view(), name="exception-retry"),
    path("exceptions/<str:exception_id>/handle", acts.Handle.as_view(), name="exception-handle"),
    path("exceptions/<str:exception_id>/acknowledge", acts.Acknowledge.as_view(), name="exception-acknowledge"),
    path("exceptions/<str:exception_id>/assign", acts.Assign.as_view(), name="exception-assign"),
    path("exceptions/<str:exception_id>/ignore", acts.Ignore.as_view(), name="exception-ignore"),
    path("exceptions/<str:exception_id>/reopen", acts.Reopen.as_view(), name="exception-reopen"),
    path("exceptions/<str:exception_id>/comments", acts.Comments.as_view(), name="exception-comments"),
]
