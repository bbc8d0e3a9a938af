"""Forms, parts, credentials and signatures as a target reads them."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterator
from email import message_from_bytes
from email.message import Message
from typing import Any, cast
from urllib.parse import parse_qs

import pytest

from execution.executors.http import HttpExecutor
from execution.executors.http_bodies import encoded
from tests.fakes.http_server import HttpServer
from tests.unit.execution.executors.test_http import fails, send

PAY = "s3cret-of-the-bank"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[HttpServer]:
    monkeypatch.setenv("DISTTASK_SECRET_PAY", PAY)
    with HttpServer() as made:
        yield made


def parts_of(body: bytes, content_type: str) -> list[tuple[str | None, str | None, str, bytes]]:
    """(name, filename, type, content) of each part, read by the standard library."""
    message = message_from_bytes(b"Content-Type: " + content_type.encode() + b"\r\n\r\n" + body)
    found: list[tuple[str | None, str | None, str, bytes]] = []
    for part in cast(list[Message], message.get_payload()):
        name = part.get_param("name", header="content-disposition")
        content = part.get_payload(decode=True)
        assert isinstance(content, bytes)
        found.append((cast(str, name), part.get_filename(), part.get_content_type(), content))
    return found


def test_it_sends_a_form(server: HttpServer) -> None:
    send({"url": server.url(), "encoding": "form"}, {"a": 1, "b": ["x", True], "c": None, "名": "ä&=", "d": {"k": 1}})
    seen = server.seen[0]
    assert seen.headers["content-type"] == "application/x-www-form-urlencoded"
    assert parse_qs(seen.body.decode()) == {"a": ["1"], "b": ["x", "true"], "名": ["ä&="], "d": ['{"k":1}']}


def test_it_sends_the_parts_of_a_form_with_files(server: HttpServer) -> None:
    raw = b"\x00\xff--binary\r\n"
    body = {
        "order": "o1",
        "lines": [1, 2],
        "meta": {"k": "v"},
        "scan": {
            "filename": "scan.pdf",
            "content_type": "application/pdf",
            "content_base64": base64.b64encode(raw).decode(),
        },
        "note": {"filename": "n.txt", "content": "hello"},
    }
    send({"url": server.url(), "encoding": "multipart", "body": body})
    seen = server.seen[0]
    assert parts_of(seen.body, seen.headers["content-type"]) == [
        ("order", None, "text/plain", b"o1"),
        ("lines", None, "text/plain", b"1"),
        ("lines", None, "text/plain", b"2"),
        ("meta", None, "application/json", b'{"k":"v"}'),
        ("scan", "scan.pdf", "application/pdf", raw),
        ("note", "n.txt", "application/octet-stream", b"hello"),
    ]


def test_it_sends_names_as_browsers_do() -> None:
    body, _ = encoded({"图": {"filename": "扫描.pdf", "content": ""}}, "multipart", key="k")
    assert 'name="图"; filename="扫描.pdf"'.encode() in body


def test_every_attempt_sends_the_same_bytes() -> None:
    body = {"a": "1", "f": {"filename": "x", "content": "y"}}
    assert encoded(body, "multipart", key="k") == encoded(body, "multipart", key="k")
    assert encoded(body, "multipart", key="k") != encoded(body, "multipart", key="other")


def test_no_part_ends_the_form_before_its_end() -> None:
    _, kind = encoded({"a": "1"}, "multipart", key="k")
    boundary = kind.partition("boundary=")[2]
    body, kind = encoded({"a": f"--{boundary}--\r\nx"}, "multipart", key="k")
    assert [content for *_, content in parts_of(body, kind)] == [f"--{boundary}--\r\nx".encode()]


def test_no_name_splits_a_part() -> None:
    body, kind = encoded({'a"\r\nX-Evil: 1': {"filename": 'b"\r\nX-Evil: 2', "content": ""}}, "multipart", key="k")
    assert body.count(b"\r\nX-Evil") == 0
    assert len(parts_of(body, kind)) == 1


@pytest.mark.parametrize("encoding", ["form", "multipart"])
def test_a_form_needs_fields(server: HttpServer, encoding: str) -> None:
    assert fails({"url": server.url(), "encoding": encoding, "body": ["a"]}).failure.code == "BAD_BODY"
    assert server.seen == []


def test_basic_and_bearer_go_out_and_come_back_masked(server: HttpServer) -> None:
    basic = {"type": "basic", "username": "shop", "password": "${secret:PAY}"}
    value = send({"url": server.url("/echo"), "auth": basic})
    assert server.seen[0].headers["authorization"] == "Basic " + base64.b64encode(f"shop:{PAY}".encode()).decode()
    value = [value, send({"url": server.url("/echo"), "auth": {"type": "bearer", "token": "${secret:PAY}"}})]
    assert server.seen[1].headers["authorization"] == f"Bearer {PAY}"
    assert PAY not in str(value)
    assert base64.b64encode(f"shop:{PAY}".encode()).decode() not in str(value)


def test_a_signature_covers_time_method_path_key_and_body(server: HttpServer) -> None:
    auth = {"type": "hmac", "secret": "${secret:PAY}", "key_id": "shop-1", "algorithm": "sha512"}
    send({"url": server.url("/ok?a=1&b=x%20y"), "method": "PUT", "auth": auth}, {"n": 1}, key="订单:1")
    seen = server.seen[0]
    digest = hashlib.sha512(seen.body).hexdigest()
    time_, key = seen.headers["x-timestamp"], seen.headers["idempotency-key"]
    covered = "\n".join((time_, "PUT", "/ok?a=1&b=x%20y", key, digest))
    signature = hmac.new(PAY.encode(), covered.encode(), "sha512").hexdigest()
    assert seen.headers["x-signature"] == f"sha512={signature}"
    assert seen.headers["x-key-id"] == "shop-1"


@pytest.mark.parametrize(
    ("auth", "loc"),
    [
        ({"type": "basic", "username": "u", "password": "plain-in-the-flow"}, ("auth", "password")),
        ({"type": "bearer", "token": "plain"}, ("auth", "token")),
        ({"type": "bearer", "token": "${params.token}"}, ("auth", "token")),
        ({"type": "hmac", "secret": "plain"}, ("auth", "secret")),
        ({"type": "digest"}, ("auth",)),
        ({"type": "bearer"}, ("auth", "token")),
        ("${params.auth}", ("auth",)),
    ],
)
def test_a_password_in_the_clear_is_refused_at_save(auth: Any, loc: tuple[str, ...]) -> None:
    problems = HttpExecutor.config_problems({"url": "http://a.example/", "auth": auth})
    assert [problem.loc for problem in problems] == [loc]


def test_a_reference_is_accepted_at_save() -> None:
    auth = {"type": "basic", "username": "u", "password": "${secret:PAY}"}
    assert not HttpExecutor.config_problems({"url": "http://a.example/", "auth": auth, "headers": {"X-A": "b"}})
    twice = {"url": "http://a.example/", "auth": auth, "headers": {"authorization": "b"}}
    assert [problem.code for problem in HttpExecutor.config_problems(twice)] == ["bad_value"]


def test_certificates_are_named_in_the_configuration() -> None:
    problems = HttpExecutor.config_problems({"url": "https://a.example/", "tls": "bank"})
    assert [(problem.loc, problem.code) for problem in problems] == [(("tls",), "unknown_name")]
