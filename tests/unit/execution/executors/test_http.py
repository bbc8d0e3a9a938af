from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from email.utils import formatdate
from typing import Any

import pytest

from execution.domain.outcome import Result, Sort, TaskFailed
from execution.executors.http import HttpExecutor
from execution.executors.http_outcome import retry_after
from execution.executors.options import HttpOptions
from tests.fakes.http_server import HttpServer
from tests.unit.execution.executors.calls import call

KIB = 1024


@pytest.fixture
def server() -> Iterator[HttpServer]:
    with HttpServer() as made:
        yield made


def send(
    config: dict[str, Any], given: dict[str, Any] | None = None, *, options: HttpOptions | None = None, **how: Any
) -> Any:
    async def work() -> Result:
        executor = HttpExecutor(options or HttpOptions(allow_networks=("127.0.0.0/8",)))
        try:
            return await executor.execute(call(config, given, **how))
        finally:
            await executor.close()

    return asyncio.run(work()).value


def fails(config: dict[str, Any], given: dict[str, Any] | None = None, **how: Any) -> TaskFailed:
    with pytest.raises(TaskFailed) as caught:
        send(config, given, **how)
    return caught.value


def test_it_sends_the_whole_input_as_json(server: HttpServer) -> None:
    value = send({"url": server.url()}, {"sku": "s1", "名": [1, None]})
    seen = server.seen[0]
    assert (seen.method, seen.json()) == ("POST", {"sku": "s1", "名": [1, None]})
    assert seen.headers["content-type"] == "application/json"
    assert value["status"] == 200
    assert value["body"]["ok"] is True
    assert value["headers"]["content-type"] == "application/json"


def test_it_says_who_calls(server: HttpServer) -> None:
    send({"url": server.url()}, key="订单-1:task")
    headers = server.seen[0].headers
    assert headers["idempotency-key"] == "%E8%AE%A2%E5%8D%95-1%3Atask"
    assert headers["x-request-id"] == "request-7"
    version, trace, span, flags = headers["traceparent"].split("-")
    assert (version, len(trace), len(span), flags) == ("00", 32, 16, "01")


def test_a_config_header_replaces_ours(server: HttpServer) -> None:
    send({"url": server.url(), "headers": {"idempotency-key": "mine", "X-Amount": 5, "Content-Type": "text/x"}})
    headers = server.seen[0].headers
    assert (headers["idempotency-key"], headers["x-amount"], headers["content-type"]) == ("mine", "5", "text/x")


@pytest.mark.parametrize(
    ("body", "sent", "content_type"),
    [
        ('{"event":"payment_done"}', b'{"event":"payment_done"}', "application/json"),
        ("plain words", b"plain words", "text/plain; charset=utf-8"),
        ({"a": 1}, b'{"a":1}', "application/json"),
        ([1, 2], b"[1,2]", "application/json"),
        (None, b"null", "application/json"),
        (0, b"0", "application/json"),
    ],
)
def test_input_body_is_the_body(server: HttpServer, body: Any, sent: bytes, content_type: str) -> None:
    send({"url": server.url()}, {"body": body, "other": "stays here"})
    assert server.seen[0].body == sent
    assert server.seen[0].headers["content-type"] == content_type


def test_config_body_has_the_last_word(server: HttpServer) -> None:
    send({"url": server.url(), "body": {"from": "config"}}, {"body": "from input"})
    assert server.seen[0].json() == {"from": "config"}


@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE", "get"])
def test_without_a_body_the_input_is_the_query(server: HttpServer, method: str) -> None:
    given = {"a": 1, "b": [1, "x"], "c": None, "d": True, "e": {"k": 1}, "f": "ä&="}
    send({"url": server.url("/ok?z=9"), "method": method, "query": {"g": 2.5}}, given)
    seen = server.seen[0]
    assert (seen.method, seen.body) == (method.upper(), b"")
    assert seen.query == {
        "z": ["9"], "a": ["1"], "b": ["1", "x"], "d": ["true"], "e": ['{"k":1}'], "f": ["ä&="], "g": ["2.5"]
    }  # fmt: skip


def test_it_sends_large_bodies(server: HttpServer) -> None:
    send({"url": server.url()}, {"body": "x" * 3_000_000})
    assert len(server.seen[0].body) == 3_000_000
    limited = HttpOptions(allow_networks=("127.0.0.0/8",), max_request_bytes=1_000)
    assert fails({"url": server.url()}, {"body": "x" * 1_001}, options=limited).failure.code == "REQUEST_TOO_LARGE"


def test_success_status_decides(server: HttpServer) -> None:
    assert send({"url": server.url("/status/404"), "success_status": ["2xx", 404]})["body"] == {"error": "404"}
    assert send({"url": server.url("/redirect?to=/x"), "success_status": "3xx"})["headers"]["location"] == "/x"
    assert fails({"url": server.url(), "success_status": 201}).failure.code == "HTTP_200"


def test_it_keeps_the_answer_of_a_refusal(server: HttpServer) -> None:
    failure = fails({"url": server.url("/status/503?retry_after=7")}).failure
    assert failure.retry_after == 7
    assert failure.response["body"] == {"error": "503"}
    assert failure.response["status"] == 503


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("120", 120), (" 5 ", 5), ("", None), ("soon", None), ("-5", None), ("Wed, 21 Oct 2015 07:28:00 GMT", 0)],
)
def test_it_reads_retry_after(header: str, seconds: float | None) -> None:
    assert retry_after(header) == seconds


def test_it_reads_retry_after_as_a_date() -> None:
    seconds = retry_after(formatdate(time.time() + 60, usegmt=True))
    assert seconds is not None
    assert 57 < seconds <= 61


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/badjson", '{"a": NaN, "a": 1'),
        ("/html", "<html>no</html>"),
        ("/gbk", {"消息": "成功"}),
        ("/badutf8", "ab\ufffd\ufffdcd"),
        ("/gzip", {"ok": True}),
    ],
)
def test_it_keeps_whatever_comes(server: HttpServer, path: str, body: Any) -> None:
    assert send({"url": server.url(path)})["body"] == body


@pytest.mark.parametrize("path", ["/huge/3000000", "/bomb"])
def test_it_cuts_and_marks_a_long_answer(server: HttpServer, path: str) -> None:
    limited = HttpOptions(allow_networks=("127.0.0.0/8",), max_response_bytes=64 * KIB)
    value = send({"url": server.url(path)}, options=limited)
    assert value["truncated"] is True
    assert len(value["body"]) == 64 * KIB


@pytest.mark.parametrize(
    ("path", "code"),
    [("/trickle", "TIMEOUT"), ("/garbage", "BROKEN_RESPONSE"), ("/headers", "BROKEN_RESPONSE")],
)
def test_it_survives_hostile_answers(server: HttpServer, path: str, code: str) -> None:
    started = time.monotonic()
    failure = fails({"url": server.url(path)}, timeout=1).failure
    assert (failure.sort, failure.code) == (Sort.MAYBE_APPLIED, code)
    assert time.monotonic() - started < 2


def test_it_keeps_no_cookies_and_shows_none(server: HttpServer) -> None:
    async def work() -> list[Any]:
        executor = HttpExecutor(HttpOptions(allow_networks=("127.0.0.0/8",)))
        values = [(await executor.execute(call({"url": server.url(path)}))).value for path in ("/cookie", "/echo")]
        await executor.close()
        return values

    set_, echoed = asyncio.run(work())
    assert set_["headers"]["set-cookie"] == "***"
    assert "cookie" not in echoed["body"]["headers"]


def test_it_ignores_proxies_of_the_environment(server: HttpServer, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert send({"url": server.url()})["status"] == 200


def test_it_never_sends_twice_by_itself(server: HttpServer) -> None:
    # aiohttp would repeat a GET whose kept connection dies.
    async def work() -> str:
        executor = HttpExecutor(HttpOptions(allow_networks=("127.0.0.0/8",)))
        await executor.execute(call({"url": server.url(), "method": "GET"}))
        with pytest.raises(TaskFailed) as caught:
            await executor.execute(call({"url": server.url("/drop"), "method": "GET"}))
        await executor.close()
        return caught.value.failure.code

    assert asyncio.run(work()) == "CONNECTION_LOST"
    assert [seen.path for seen in server.seen] == ["/ok", "/drop"]


def test_it_reuses_its_connection(server: HttpServer) -> None:
    async def work() -> None:
        executor = HttpExecutor(HttpOptions(allow_networks=("127.0.0.0/8",)))
        for _ in range(5):
            await executor.execute(call({"url": server.url()}))
        await executor.close()

    asyncio.run(work())
    assert (server.connections, len(server.seen)) == (1, 5)


@pytest.mark.parametrize(
    "headers",
    [
        {"X-A": "b\r\nX-Evil: 1"}, {"X-A\r\nX-Evil": "b"}, {"X-A": "b\x00"}, {"": "b"}, {"X A": "b"}, {"X:A": "b"},
        {"Content-Length": "0"}, {"Transfer-Encoding": "chunked"}, {"connection": "close"}, {"Upgrade": "h2c"},
    ],
)  # fmt: skip
def test_it_refuses_headers_that_split_requests(server: HttpServer, headers: dict[str, str]) -> None:
    failure = fails({"url": server.url(), "headers": headers}).failure
    assert (failure.sort, failure.code) == (Sort.REFUSED, "BAD_CONFIG")
    assert server.seen == []


def test_a_secret_cannot_split_a_header(server: HttpServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISTTASK_SECRET_SPLIT", "value\r\nX-Evil: canary-split")
    failure = fails({"url": server.url(), "headers": {"X-A": "${secret:SPLIT}"}}).failure
    assert failure.code == "BAD_CONFIG"
    assert "canary" not in failure.message
    assert server.seen == []


def test_credentials_in_a_url_are_refused_with_the_mend() -> None:
    failure = fails({"url": "http://user:hunter2@pay.example/"}).failure
    assert failure.code == "BAD_CONFIG"
    assert "auth" in failure.message
    assert "hunter2" not in failure.message
