"""One id follows a request into its log lines, its answer and its records."""

from __future__ import annotations

import logging

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory

from disttask_project.middleware import RequestContextMiddleware


def answer(header: str | None) -> tuple[HttpRequest, HttpResponse]:
    headers = {} if header is None else {"X-Request-ID": header}
    request = RequestFactory().get("/", headers=headers)
    response = RequestContextMiddleware(lambda _request: HttpResponse())(request)
    assert isinstance(response, HttpResponse)
    return request, response


def test_it_takes_the_caller_s_id() -> None:
    request, response = answer("order-7:a.b_c")
    assert request.request_id == response.headers["X-Request-ID"] == "order-7:a.b_c"  # type: ignore[attr-defined]


@pytest.mark.parametrize("bad", [None, "", "a b", "a\nb", "x" * 65, "<script>", "-a", "事务"])
def test_it_makes_an_id_where_none_or_a_strange_one_came(bad: str | None) -> None:
    request, response = answer(bad)
    assert request.request_id == response.headers["X-Request-ID"]  # type: ignore[attr-defined]
    assert len(response.headers["X-Request-ID"]) == 36


def test_it_logs_a_request_without_its_query_or_callback_token(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="disttask.http")
    request = RequestFactory().get("/api/v1/callbacks/s3cret-token?key=abc")
    RequestContextMiddleware(lambda _request: HttpResponse(status=404))(request)
    assert "s3cret-token" not in caplog.text
    assert "abc" not in caplog.text
    assert "/api/v1/callbacks/***" in caplog.text


@pytest.mark.django_db
def test_every_page_is_served_under_a_strict_policy() -> None:
    response = Client().get("/admin/login/")
    policy = response.headers["Content-Security-Policy"]
    assert "script-src 'self' 'unsafe-eval';" in f"{policy};"
    assert "frame-ancestors 'none'" in policy
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["X-Frame-Options"] == "DENY"
    assert response.headers["X-Request-ID"]
