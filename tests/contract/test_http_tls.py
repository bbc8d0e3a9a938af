"""http over TLS: whom it trusts, how it shows itself, and that it reads its certificates anew."""

from __future__ import annotations

import asyncio
import os
import ssl
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from execution.domain.outcome import Sort, TaskFailed
from execution.executors import tls
from execution.executors.http import HttpExecutor
from execution.executors.options import HttpOptions
from tests.fakes.certificates import Authority, Pair
from tests.fakes.http_server import HttpServer
from tests.unit.execution.executors.calls import call


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def server(authority: Authority) -> Iterator[HttpServer]:
    """Asks for a certificate of the authority's."""
    own = authority.pair("server", "IP:127.0.0.1")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(authority.ca.cert))
    context.load_cert_chain(own.cert, own.key)
    context.verify_mode = ssl.CERT_REQUIRED
    with HttpServer(tls=context) as made:
        yield made


def entry(authority: Authority, client: Pair | None) -> dict[str, str]:
    found = {"ca_file": str(authority.ca.cert)}
    return found | ({"cert_file": str(client.cert), "key_file": str(client.key)} if client else {})


def ask(server: HttpServer, entries: dict[str, Any], *, named: str | None = "bank", times: int = 1) -> Any:
    async def work() -> Any:
        executor = HttpExecutor(HttpOptions(allow_networks=("127.0.0.0/8",), tls=entries))
        try:
            for _ in range(times):
                answer = await executor.execute(call({"url": server.url(), "tls": named}))
            return answer.value["status"]
        finally:
            await executor.close()

    return asyncio.run(work())


def refusal(server: HttpServer, entries: dict[str, Any], **how: Any) -> tuple[str, Sort]:
    with pytest.raises(TaskFailed) as caught:
        ask(server, entries, **how)
    return caught.value.failure.code, caught.value.failure.sort


def test_it_shows_its_certificate_on_one_connection(server: HttpServer, authority: Authority) -> None:
    client = authority.pair("client", "DNS:disttask")
    assert ask(server, {"bank": entry(authority, client)}, times=3) == 200
    assert server.connections == 1


def test_certificates_may_be_secrets(server: HttpServer, authority: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    client = authority.pair("client", "DNS:disttask")
    monkeypatch.setenv("DISTTASK_SECRET_CERT", client.cert.read_text())
    monkeypatch.setenv("DISTTASK_SECRET_KEY_OF_CLIENT_FILE", str(client.key))
    by_name = {"cert_file": "${secret:CERT}", "key_file": "${secret:KEY_OF_CLIENT}"}
    assert ask(server, {"bank": entry(authority, None) | by_name}) == 200


def test_without_trust_nothing_is_sent(server: HttpServer) -> None:
    assert refusal(server, {}, named=None) == ("TLS_FAILED", Sort.NEVER_SENT)
    assert server.seen == []


def test_a_server_under_another_name_is_not_trusted(authority: Authority) -> None:
    other = authority.pair("other", "DNS:other.test")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(other.cert, other.key)
    with HttpServer(tls=context) as server:
        assert refusal(server, {"bank": entry(authority, None)}) == ("TLS_FAILED", Sort.NEVER_SENT)


def test_without_a_certificate_the_server_does_nothing(server: HttpServer, authority: Authority) -> None:
    # TLS 1.3 tells a client after its handshake: the request may have left, and is not read.
    code, sort = refusal(server, {"bank": entry(authority, None)})
    assert (code, sort) in {("CONNECTION_LOST", Sort.MAYBE_APPLIED), ("TLS_FAILED", Sort.NEVER_SENT)}
    assert server.seen == []


@pytest.mark.parametrize(
    "change", [{"key_file": "/nowhere/key.pem"}, {"key_file": ""}, {"key_file": "CA"}, {"ca_file": "KEY"}]
)
def test_what_cannot_be_used_is_said(server: HttpServer, authority: Authority, change: dict[str, str]) -> None:
    client = authority.pair("client", "DNS:disttask")
    places = {"CA": str(authority.ca.key), "KEY": str(client.key)}
    given = entry(authority, client) | {key: places.get(value, value) for key, value in change.items()}
    assert refusal(server, {"bank": given}) == ("BAD_CERTIFICATES", Sort.REFUSED)
    assert refusal(server, {}) == ("BAD_CERTIFICATES", Sort.REFUSED)


def test_tls_is_never_left_out(authority: Authority) -> None:
    with HttpServer() as server:
        assert refusal(server, {"bank": entry(authority, None)}) == ("BAD_URL", Sort.REFUSED)
        assert server.seen == []


def test_changed_files_are_read_anew(authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ca = tmp_path / "ca.pem"
    ca.write_bytes(authority.ca.cert.read_bytes())
    monkeypatch.setattr(tls, "CHECK_SECONDS", 0)
    contexts = tls.TlsContexts({"bank": {"ca_file": str(ca)}})
    first = contexts("bank")
    assert contexts("bank") is first
    os.utime(ca, (1, 1))
    assert contexts("bank") is not first


def test_no_key_is_left_behind(authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    tls.TlsContexts({"bank": entry(authority, authority.pair("client", "DNS:disttask"))})("bank")
    assert list(tmp_path.iterdir()) == []
