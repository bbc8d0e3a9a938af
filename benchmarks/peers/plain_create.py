"""One endpoint that creates one row with Django REST framework: a serializer, a model, no login, no rules (G14)."""

from __future__ import annotations

import os
from typing import ClassVar
from urllib.parse import urlsplit

import django
from django.conf import settings

_parts = urlsplit(os.environ["DISTTASK_BENCH_PEER_DATABASE"])
_engine = "mysql" if _parts.scheme == "mysql" else "postgresql"
settings.configure(
    SECRET_KEY="only for the bench",
    ALLOWED_HOSTS=["127.0.0.1"],
    ROOT_URLCONF=__name__,
    USE_TZ=True,
    INSTALLED_APPS=["rest_framework"],
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    DATABASES={
        "default": {
            "ENGINE": f"django.db.backends.{_engine}",
            "HOST": _parts.hostname,
            "PORT": str(_parts.port),
            "USER": _parts.username,
            "NAME": _parts.path.removeprefix("/"),
            "CONN_MAX_AGE": None,
            "OPTIONS": {"isolation_level": "read committed"} if _engine == "mysql" else {},
        }
    },
    REST_FRAMEWORK={
        "UNAUTHENTICATED_USER": None,
        "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
        "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    },
)
django.setup()

from django.core.wsgi import get_wsgi_application  # noqa: E402  after settings.configure
from django.db import connection, models  # noqa: E402
from django.urls import path  # noqa: E402
from rest_framework import serializers  # noqa: E402
from rest_framework.request import Request  # noqa: E402
from rest_framework.response import Response  # noqa: E402
from rest_framework.views import APIView  # noqa: E402


class Order(models.Model):
    objects: ClassVar[models.Manager[Order]] = models.Manager()

    flow = models.CharField(max_length=64)
    status = models.CharField(max_length=16, db_index=True, default="new")
    params = models.JSONField()
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        app_label = "plain"
        db_table = "plain_order"

    def __str__(self) -> str:
        return f"{self.flow} {self.pk}"


class OrderSerializer(serializers.Serializer[Order]):
    flow = serializers.CharField(max_length=64)
    params = serializers.JSONField()


class Orders(APIView):
    authentication_classes = ()
    permission_classes = ()

    def post(self, request: Request) -> Response:
        asked = OrderSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        order = Order.objects.create(**asked.validated_data)
        return Response({"id": order.pk, "status": order.status}, status=201)


def make_table() -> None:
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS plain_order")
    with connection.schema_editor() as editor:
        editor.create_model(Order)
    connection.close()


urlpatterns = [path("orders", Orders.as_view())]
application = get_wsgi_application()

if __name__ == "__main__":
    make_table()
