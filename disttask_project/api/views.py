"""The base of every REST view: who may, what may be sent, what comes back, declared on the class once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from django.conf import settings
from django.http import HttpRequest
from django.utils import translation
from rest_framework.exceptions import NotAuthenticated
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from disttask_project.access.actors import actor_from_request
from disttask_project.api import errors
from disttask_project.api.envelope import BrowsableRenderer, EnvelopeRenderer
from disttask_project.api.fields import Spec, example_of, read_body, read_query
from disttask_project.api.negotiation import FormatNegotiation
from disttask_project.api.parsers import StrictJSONParser
from disttask_project.api.schema import EnvelopeSchema
from disttask_project.api.throttling import ActorThrottle
from disttask_project.kernel.actor import Actor
from disttask_project.kernel.errors import Forbidden
from disttask_project.kernel.messages import text


class Permitted(BasePermission):
    """Signed in, and holding the permission that the view names for this method (`""`: signed in is enough)."""

    def has_permission(self, request: Request, view: Any) -> bool:
        if not request.user.is_authenticated:
            raise NotAuthenticated
        needed = view.permissions.get("GET" if request.method in ("HEAD", "OPTIONS") else request.method, "")
        if needed and not request.user.has_perm(needed):
            raise Forbidden(
                text(
                    "{name} may not do this: the permission {permission} is missing.",
                    name=request.user.get_username(),
                    permission=needed,
                )
            )
        return True


class ApiView(APIView):
    """`permissions`, `bodies`, `filters` and `answers` are keyed by method; the schema is drawn from them."""

    renderer_classes = (EnvelopeRenderer, BrowsableRenderer)
    parser_classes = (StrictJSONParser,)
    permission_classes = (Permitted,)
    throttle_classes = (ActorThrottle,)
    content_negotiation_class = FormatNegotiation
    schema = EnvelopeSchema()

    permissions: ClassVar[Mapping[str, str]] = {}
    bodies: ClassVar[Mapping[str, Spec]] = {}
    free_bodies: ClassVar[Mapping[str, Any]] = {}  # any JSON, with an example
    filters: ClassVar[Mapping[str, Spec]] = {}
    families: ClassVar[tuple[str, ...]] = ()
    answers: ClassVar[Mapping[str, Any]] = {}
    raw_answers: ClassVar[Mapping[str, Any]] = {}  # media types that leave without the envelope
    statuses: ClassVar[Mapping[str, int]] = {}
    may_be_pending: ClassVar[bool] = False
    summaries: ClassVar[Mapping[str, str]] = {}
    tag: ClassVar[str] = ""

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        activate_language(request)
        super().initial(request, *args, **kwargs)

    def get_exception_handler(self) -> Any:
        return errors.handle

    def get_view_name(self) -> str:
        return self.summaries.get("GET") or next(iter(self.summaries.values()), "") or type(self).__name__

    def actor(self) -> Actor:
        return actor_from_request(self.request, source="rest")

    def body(self) -> dict[str, Any]:
        """The declared body of this method, checked."""
        return read_body(self.bodies[str(self.request.method)], self.request.data)

    def query(self) -> dict[str, Any]:
        """The declared filters of this method, checked. `lang` and `format` are everywhere."""
        spec = self.filters.get(str(self.request.method), {})
        given = {
            key: str(value)
            for key, value in self.request.query_params.items()
            if key in spec or key not in ("lang", "format")
        }
        return read_query(spec, given, families=self.families)

    def example_body(self, method: str) -> dict[str, Any] | None:
        if method in self.bodies:
            return example_of(self.bodies[method])
        example: dict[str, Any] | None = self.free_bodies.get(method)
        return example

    def created(self, data: Any) -> Response:
        return Response(data, status=201)


def activate_language(request: HttpRequest | Request) -> None:
    """`?lang=zh-hans` wins over Accept-Language, which the middleware has looked at."""
    asked = request.GET.get("lang", "").lower()
    if not asked:
        return
    codes = [code for code, _name in settings.LANGUAGES]
    match = next((code for code in codes if code == asked or code.split("-")[0] == asked.split("-")[0]), None)
    if match:
        translation.activate(match)
