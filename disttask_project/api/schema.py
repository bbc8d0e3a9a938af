"""The OpenAPI document, drawn from what each view declares; no serializer is guessed at."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse

from disttask_project.api.fields import as_schema, field_schema
from disttask_project.api.shapes import COMPONENTS, ERROR, NOTHING, enveloped

FAULTS: Final[Mapping[int, str]] = {
    400: "Broken JSON",
    401: "No token, or a bad one",
    403: "A permission is missing",
    404: "Not there, or not visible",
    409: "Wrong state, or a lost race",
    413: "The body is too large",
    415: "The body is not JSON",
    422: "Bad content, every fault listed",
    429: "Too many requests; see Retry-After",
    503: "A part we depend on is away; see Retry-After",
}
_WITH_BODY: Final = frozenset({400, 409, 413, 415})


class EnvelopeSchema(AutoSchema):
    """Reads `bodies`, `filters`, `answers`, `statuses`, `summaries` and `tag` of an `ApiView`."""

    @property
    def declared(self) -> Any:
        """The view; every one of ours is an `ApiView`, which this module may not import."""
        return self.view

    def get_tags(self) -> list[str]:
        return [self.declared.tag]

    def get_summary(self) -> str | None:
        summary: str | None = self.declared.summaries.get(self.method)
        return summary

    def get_operation_id(self) -> str:
        name = self.path.removeprefix("/api/v1/").replace("/", "_").replace("-", "_")
        plain = "".join(letter for letter in name if letter.isalnum() or letter == "_")
        return f"{self.method.lower()}_{plain}"

    def get_description(self) -> str:  # type: ignore[override]  # drf-spectacular's own signature
        needed = self.declared.permissions.get(self.method)
        text = str(super().get_description() or "")
        return f"{text}\n\nPermission: `{needed}`" if needed else text

    def get_override_parameters(self) -> list[Any]:
        parameters = [
            OpenApiParameter(name, field_schema(field), OpenApiParameter.QUERY, description=field.description)
            for name, field in self.declared.filters.get(self.method, {}).items()
        ]
        if self.method == "GET":
            parameters += [
                OpenApiParameter(f"{family}KEY", str, OpenApiParameter.QUERY, description="any key")
                for family in self.declared.families
            ]
        return parameters

    def get_request_serializer(self) -> Any:
        if self.method in self.declared.free_bodies:
            return {"application/json": {"description": "any JSON", "example": self.declared.free_bodies[self.method]}}
        spec = self.declared.bodies.get(self.method)
        return {"application/json": as_schema(spec) if spec is not None else dict(NOTHING)}

    def get_response_serializers(self) -> Any:
        status = self.declared.statuses.get(self.method, 200)
        shape = self.declared.answers.get(self.method, NOTHING)
        raw = self.declared.raw_answers.get(self.method)
        good = OpenApiResponse(response=enveloped(shape), description="Done")
        answers: dict[Any, Any] = {status: good}
        if raw is not None:
            answers |= {(status, media): OpenApiResponse(response=schema) for media, schema in raw.items()}
        if status == 201:
            answers[200] = OpenApiResponse(response=enveloped(shape), description="Done before: the same answer again")
        if self.declared.may_be_pending:
            answers[202] = OpenApiResponse(response=enveloped(shape), description="A worker will take it up")
        has_body = self.method in ("POST", "PUT")
        for code, description in FAULTS.items():
            if has_body or code not in _WITH_BODY:
                answers[code] = OpenApiResponse(response=dict(ERROR), description=description)
        return answers


class TokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """The bearer token of `manage.py createtoken`."""

    target_class = "disttask_project.access.authentication.TokenAuthentication"
    name = "token"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, Any]:
        return {"type": "http", "scheme": "bearer"}


def only_ours(endpoints: list[Any], **_kwargs: Any) -> list[Any]:
    """Preprocessing hook: what is under /api/v1, and nothing of the console."""
    return [endpoint for endpoint in endpoints if endpoint[0].startswith("/api/v1/")]


def with_components(result: dict[str, Any], **_kwargs: Any) -> dict[str, Any]:
    """Postprocessing hook: the shapes that answers refer to."""
    schemas = result.setdefault("components", {}).setdefault("schemas", {})
    schemas.update({name: dict(shape) for name, shape in COMPONENTS.items()})
    return result
