"""`/api/schema` and `/api/docs`: the OpenAPI document and Swagger UI from our own files, under the strict CSP."""

from __future__ import annotations

from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView
from rest_framework.authentication import SessionAuthentication
from rest_framework.permissions import AllowAny

from disttask_project.access.authentication import TokenAuthentication


class Schema(SpectacularAPIView):
    """The document names no data of anybody: it is open, so that clients can be made from it."""

    permission_classes = (AllowAny,)
    authentication_classes = (TokenAuthentication, SessionAuthentication)


class Docs(SpectacularSwaggerSplitView):
    """Swagger UI; its script is a request of its own, so that no inline script is needed."""

    permission_classes = (AllowAny,)
    authentication_classes = (TokenAuthentication, SessionAuthentication)
    url_name = "api-schema"
