"""One real peer for every task type, with the same questions to each."""

from __future__ import annotations

import socket
import sqlite3
import time
from abc import abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

import grpc

from execution.domain.outcome import Sort
from execution.executors.base import Executor
from execution.executors.db.executor import DbExecutor
from execution.executors.http import HttpExecutor
from execution.executors.mq.executor import MqExecutor
from execution.executors.noop import NoopExecutor
from execution.executors.options import DbOptions, HttpOptions, MqOptions, RpcOptions
from execution.executors.rpc.executor import RpcExecutor
from execution.testing.peer import Given, Peer
from tests.fakes.grpc_server import GrpcServer, payment_file
from tests.fakes.http_server import HttpServer

LOOPBACK = ("127.0.0.0/8",)


class LoopbackPeer(Peer):
    """Begins with `start`, and keeps its files in a folder of the test's."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @abstractmethod
    def start(self) -> None: ...

    def stop(self) -> None:
        return None


class HttpPeer(LoopbackPeer):
    type = "http"
    shows_masks = True

    def start(self) -> None:
        self.server = HttpServer().__enter__()
        url = self.server.url
        self.failures = {
            "HTTP_404": (Sort.REFUSED, ({"url": url("/status/404")}, {})),
            "HTTP_302": (Sort.REFUSED, ({"url": url("/redirect?to=http://169.254.169.254/")}, {})),
            "HTTP_408": (Sort.REFUSED_NOW, ({"url": url("/status/408")}, {})),
            "HTTP_429": (Sort.REFUSED_NOW, ({"url": url("/status/429")}, {})),
            "HTTP_503": (Sort.REFUSED_NOW, ({"url": url("/status/503")}, {})),
            "HTTP_500": (Sort.REFUSED_NOW, ({"url": url("/status/500")}, {})),
            "HTTP_502": (Sort.MAYBE_APPLIED, ({"url": url("/status/502")}, {})),
            "HTTP_504": (Sort.MAYBE_APPLIED, ({"url": url("/status/504")}, {})),
            "CONNECTION_LOST": (Sort.MAYBE_APPLIED, ({"url": url("/drop")}, {})),
            "BROKEN_RESPONSE": (Sort.MAYBE_APPLIED, ({"url": url("/halfway")}, {})),
            "CONNECT_FAILED": (Sort.NEVER_SENT, ({"url": f"http://127.0.0.1:{free_port()}/"}, {})),
            "DNS_FAILED": (Sort.NEVER_SENT, ({"url": "http://no-such-host.invalid/"}, {})),
            "ADDRESS_DENIED": (Sort.REFUSED, ({"url": "http://169.254.169.254/latest"}, {})),
            "BAD_CONFIG": (Sort.REFUSED, ({"url": "file:///etc/passwd"}, {})),
        }

    def stop(self) -> None:
        self.server.__exit__()

    def executor(self) -> Executor:
        return HttpExecutor(HttpOptions(allow_networks=LOOPBACK))

    def ok(self) -> Given:
        return {"url": self.server.url("/ok")}, {"sku": "s1"}

    def slow(self) -> tuple[Given, AbstractContextManager[None]]:
        return ({"url": self.server.url("/slow/30")}, {}), nullcontext()

    def keys(self) -> list[str]:
        return [seen.headers.get("idempotency-key", "") for seen in self.server.seen]

    def is_quiet(self) -> bool:
        return self.server.open_connections == 0

    def telling(self, reference: str) -> Given:
        return {"url": self.server.url("/echo"), "headers": {"X-Pay": reference}, "query": {"q": reference}}, {}


class RequestsPeer(HttpPeer):
    """The same type on its other library."""

    def executor(self) -> Executor:
        return HttpExecutor(HttpOptions(client="requests", allow_networks=LOOPBACK))


class RpcPeer(LoopbackPeer):
    type = "rpc"
    shows_masks = True

    def start(self) -> None:
        self.server = GrpcServer(payment_file(), {"Deduct": self._deduct}).start()
        self.failures = {
            "GRPC_INVALID_ARGUMENT": (Sort.REFUSED, self._given("INVALID_ARGUMENT")),
            "GRPC_FAILED_PRECONDITION": (Sort.REFUSED, self._given("FAILED_PRECONDITION")),
            "GRPC_RESOURCE_EXHAUSTED": (Sort.REFUSED_NOW, self._given("RESOURCE_EXHAUSTED")),
            "GRPC_ABORTED": (Sort.REFUSED_NOW, self._given("ABORTED")),
            "GRPC_INTERNAL": (Sort.MAYBE_APPLIED, self._given("INTERNAL")),
            "GRPC_CANCELLED": (Sort.MAYBE_APPLIED, self._given("CANCELLED")),
            "GRPC_DEADLINE_EXCEEDED": (Sort.MAYBE_APPLIED, self._given("DEADLINE_EXCEEDED")),
            "GRPC_UNAVAILABLE": (
                Sort.NEVER_SENT,
                ({"service": "demo.v1.Gone", "method": "Deduct", "target": f"127.0.0.1:{free_port()}"}, {}),
            ),
            "RPC_UNKNOWN_METHOD": (Sort.REFUSED, ({"service": "payment", "method": "Deduce"}, {})),
            "RPC_BAD_INPUT": (Sort.REFUSED, ({"service": "payment", "method": "Deduct"}, {"amont": 1})),
            "RPC_NO_DESCRIPTORS": (
                Sort.REFUSED,
                ({"service": "demo.v1.Other", "method": "Deduct", "target": self.server.address}, {}),
            ),
            "BAD_SERVICE": (Sort.REFUSED, ({"service": "demo.v1.Unlisted", "method": "Deduct"}, {})),
            "ADDRESS_DENIED": (
                Sort.REFUSED,
                ({"service": "demo.v1.Other", "method": "Deduct", "target": "10.0.0.1:50051"}, {}),
            ),
            "DNS_FAILED": (Sort.NEVER_SENT, ({"service": "no-such-host", "method": "deduct"}, {})),
        }

    def _given(self, user: str) -> Given:
        return {"service": "payment", "method": "Deduct"}, {"user_id": user, "amount": 5}

    def _deduct(self, request: dict[str, Any], context: grpc.ServicerContext) -> dict[str, Any]:
        user = request.get("user_id", "")
        if user == "slow":
            wait_for_cancel(context)
        if user in grpc.StatusCode.__members__:
            context.abort(grpc.StatusCode[user], f"no: {user}")
        metadata = {key: str(value) for key, value in context.invocation_metadata()}
        return {"code": 0, "payment_id": metadata.get("x-pay", "p1")}

    def stop(self) -> None:
        self.server.stop()

    def executor(self) -> Executor:
        services = {"payment": {"target": self.server.address, "service": self.server.service}}
        return RpcExecutor(RpcOptions(allow_networks=LOOPBACK, services=services))

    def ok(self) -> Given:
        return self._given("u1")

    def slow(self) -> tuple[Given, AbstractContextManager[None]]:
        return self._given("slow"), nullcontext()

    def keys(self) -> list[str]:
        return [metadata.get("idempotency-key", "") for _, _, metadata in self.server.seen]

    def telling(self, reference: str) -> Given:
        config, given = self._given("u1")
        return {**config, "metadata": {"X-Pay": reference}}, given


class DbPeer(LoopbackPeer):
    type = "db"
    shows_masks = True

    def start(self) -> None:
        self.path = self.folder / "orders.sqlite3"
        with self._connected() as connection:
            connection.execute("CREATE TABLE orders (order_id TEXT PRIMARY KEY, note TEXT, amount INTEGER)")
            connection.execute("CREATE TABLE secrets (a TEXT)")
            connection.execute("INSERT INTO orders VALUES ('taken', 'x', 1)")
        insert = {"operation": "insert", "table": "orders"}
        self.failures = {
            "DB_CONSTRAINT": (Sort.REFUSED, ({**insert, "data": {"order_id": "taken"}}, {})),
            "DB_UNKNOWN_COLUMN": (Sort.REFUSED, ({**insert, "data": {"ordre_id": "a"}}, {})),
            "DB_TABLE_DENIED": (Sort.REFUSED, ({"operation": "select", "table": "secrets"}, {})),
            "DB_UNKNOWN_CONNECTION": (Sort.REFUSED, ({"connection": "no", **insert, "data": {"a": 1}}, {})),
            "DB_CONNECT_FAILED": (Sort.NEVER_SENT, ({"connection": "gone", **insert, "data": {"a": 1}}, {})),
            "BAD_CONFIG": (Sort.REFUSED, ({"operation": "delete", "table": "orders", "where": {}}, {})),
        }

    def executor(self) -> Executor:
        return DbExecutor(
            DbOptions(
                connections={
                    "default": {"url": f"sqlite:///{self.path}", "tables": ["orders"]},
                    "gone": {"url": f"sqlite:///{self.folder}/gone.sqlite3", "tables": ["orders"]},
                }
            )
        )

    def ok(self) -> Given:
        return {"operation": "insert", "table": "orders", "data": {"order_id": "o1", "amount": 100}}, {}

    def other(self) -> Given:
        return {"operation": "insert", "table": "orders", "data": {"order_id": "another"}}, {}

    def slow(self) -> tuple[Given, AbstractContextManager[None]]:
        return ({"operation": "insert", "table": "orders", "data": {"order_id": "o2"}}, {}), self._locked()

    def keys(self) -> list[str]:
        with self._connected() as connection:
            return [row[0] for row in connection.execute("SELECT gid FROM disttask_barrier")]

    def telling(self, reference: str) -> Given:
        data = {"order_id": "o3", "note": reference}
        return {"operation": "insert", "table": "orders", "data": data, "returning": ["note"]}, {}

    @contextmanager
    def _connected(self) -> Iterator[sqlite3.Connection]:
        connection = sqlite3.connect(self.path, isolation_level=None)
        try:
            yield connection
        finally:
            connection.close()

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with self._connected() as connection:
            connection.execute("BEGIN EXCLUSIVE")
            yield
            connection.execute("ROLLBACK")


class MqPeer(LoopbackPeer):
    type = "mq"
    slow_fails = False

    def start(self) -> None:
        self.failures = {"BAD_CONFIG": (Sort.REFUSED, ({"topic": "a topic"}, {}))}

    def executor(self) -> Executor:
        return MqExecutor(MqOptions())

    def ok(self) -> Given:
        return {"topic": "payment.completed", "tag": "paid"}, {"order_id": "o1"}

    def slow(self) -> tuple[Given, AbstractContextManager[None]]:
        return ({"topic": "payment.completed"}, {}), nullcontext()  # one insert of our own: it does not wait

    def keys(self) -> list[str]:
        from execution.models import LocalMessage

        return list(LocalMessage.objects.values_list("idempotency_key", flat=True))

    def telling(self, reference: str) -> Given:
        return {"topic": "payment.completed", "properties": {"auth": reference}}, {}


class NoopPeer(LoopbackPeer):
    type = "noop"
    reaches_target = False

    def start(self) -> None:
        self.failures = {"BAD_CONFIG": (Sort.REFUSED, ({"sleep_ms": -1}, {}))}

    def executor(self) -> Executor:
        return NoopExecutor()

    def ok(self) -> Given:
        return {"sleep_ms": 1}, {"a": 1}

    def slow(self) -> tuple[Given, AbstractContextManager[None]]:
        return ({"sleep_ms": 10_000}, {}), nullcontext()

    def keys(self) -> list[str]:
        return []


PEERS: Mapping[str, type[LoopbackPeer]] = {
    **{peer.type: peer for peer in (HttpPeer, RpcPeer, DbPeer, MqPeer, NoopPeer)},
    "http-requests": RequestsPeer,
}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_for_cancel(context: grpc.ServicerContext) -> None:
    until = time.monotonic() + 20
    while context.is_active() and time.monotonic() < until:
        time.sleep(0.02)
