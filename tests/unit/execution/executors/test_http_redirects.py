"""Redirects, where a task asks for them: few, each judged, nothing secret to strangers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from execution.domain.outcome import Sort
from tests.fakes.http_server import HttpServer
from tests.unit.execution.executors.test_http import fails, send

PAY = "s3cret-of-the-bank"


@pytest.fixture
def near(monkeypatch: pytest.MonkeyPatch) -> Iterator[HttpServer]:
    monkeypatch.setenv("DISTTASK_SECRET_PAY", PAY)
    with HttpServer() as made:
        yield made


@pytest.fixture
def far() -> Iterator[HttpServer]:
    with HttpServer(host="127.0.0.2") as made:
        yield made


def away(server: HttpServer, to: str, status: int = 302) -> str:
    return server.url(f"/redirect/{status}?to={to}")


def test_it_follows_none_unasked(near: HttpServer) -> None:
    assert fails({"url": away(near, "/ok")}).failure.code == "HTTP_302"
    assert len(near.seen) == 1


def test_it_follows_as_many_as_asked(near: HttpServer) -> None:
    twice = "/redirect/307?to=/redirect/307%3Fto=/ok"
    assert send({"url": near.url(twice), "redirects": 2})["body"]["ok"] is True
    assert fails({"url": near.url(twice), "redirects": 1}).failure.code == "HTTP_307"
    assert fails({"url": near.url(), "redirects": 4}).failure.code == "BAD_CONFIG"


@pytest.mark.parametrize(
    ("status", "method", "body"),
    [(307, "POST", b'{"n":1}'), (308, "POST", b'{"n":1}'), (301, "GET", b""), (302, "GET", b""), (303, "GET", b"")],
)
def test_it_repeats_a_request_or_reads_its_answer_elsewhere(
    near: HttpServer, status: int, method: str, body: bytes
) -> None:
    send({"url": away(near, "/ok", status), "redirects": 1}, {"n": 1})
    assert (near.seen[1].method, near.seen[1].body) == (method, body)
    assert ("content-type" in near.seen[1].headers) == (method == "POST")


def test_credentials_stay_with_their_origin(near: HttpServer, far: HttpServer) -> None:
    config: dict[str, Any] = {
        "method": "GET",
        "headers": {"X-Api-Key": "${secret:PAY}", "Cookie": "a=b", "Accept-Language": "zh"},
        "auth": {"type": "bearer", "token": "${secret:PAY}"},
        "redirects": 1,
    }
    send({"url": away(near, near.url("/ok"), 307), **config})
    assert near.seen[1].headers["authorization"] == f"Bearer {PAY}"
    assert near.seen[1].headers["x-api-key"] == PAY
    send({"url": away(near, far.url("/ok"), 307), **config})
    seen = far.seen[0].headers
    assert not {"authorization", "x-api-key", "cookie"}.intersection(seen)
    assert PAY not in str(seen)
    assert (seen["accept-language"], seen["idempotency-key"]) == ("zh", "order-1:task")


def test_another_port_is_another_origin(near: HttpServer) -> None:
    with HttpServer() as other:
        send({"url": away(near, other.url("/ok"), 307), "headers": {"Authorization": "x"}, "redirects": 1})
        assert "authorization" not in other.seen[0].headers


def test_a_secret_body_is_not_repeated_to_strangers(near: HttpServer, far: HttpServer) -> None:
    config = {"body": {"pin": "${secret:PAY}"}, "redirects": 1}
    assert fails({"url": away(near, far.url("/ok"), 307), **config}).failure.code == "HTTP_307"
    assert far.seen == []
    send({"url": away(near, near.url("/ok"), 307), **config})
    assert near.seen[2].json() == {"pin": PAY}


def test_a_signature_is_made_anew_for_each_request(near: HttpServer) -> None:
    auth = {"type": "hmac", "secret": "${secret:PAY}"}
    send({"url": away(near, "/ok", 307), "auth": auth, "redirects": 1})
    first, second = (seen.headers["x-signature"] for seen in near.seen)
    assert first != second


@pytest.mark.parametrize(
    "to", ["file:///etc/passwd", "ftp://127.0.0.1/", "http://[::1", "gopher://127.0.0.1/", "data:,x"]
)
def test_it_leads_to_http_only(near: HttpServer, to: str) -> None:
    failure = fails({"url": away(near, to, 307), "redirects": 3}).failure
    assert failure.sort is Sort.REFUSED
    assert len(near.seen) == 1


def test_what_fails_after_a_see_other_may_have_been_done(near: HttpServer) -> None:
    failure = fails({"url": away(near, "http://127.0.0.1:9/", 303), "redirects": 1}).failure
    assert (failure.code, failure.sort) == ("CONNECT_FAILED", Sort.MAYBE_APPLIED)
    failure = fails({"url": away(near, "http://127.0.0.1:9/", 307), "redirects": 1}).failure
    assert (failure.code, failure.sort) == ("CONNECT_FAILED", Sort.NEVER_SENT)
    failure = fails({"url": away(near, "/status/404", 303), "redirects": 1}).failure
    assert (failure.code, failure.sort) == ("HTTP_404", Sort.MAYBE_APPLIED)
