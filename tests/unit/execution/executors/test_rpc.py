from __future__ import annotations

import asyncio
import time
from typing import Any

import grpc
import pytest
from google.protobuf import descriptor_pb2

from execution.domain.outcome import Result, Sort, TaskFailed
from execution.executors.base import Call
from execution.executors.options import RpcOptions
from execution.executors.rpc.executor import RpcExecutor
from execution.executors.rpc.services import BadService, find_service, read_service
from flows.domain.descriptors import BadDescriptors, build_pool
from flows.domain.descriptors import find_service as service_of
from tests.fakes.grpc_server import GrpcServer, describe, payment_file
from tests.fakes.http_server import HttpServer
from tests.unit.execution.executors.calls import call

LOOPBACK = ("127.0.0.0/8",)
SERVICES: dict[str, Any] = {}


def answer(request: dict[str, Any], _context: grpc.ServicerContext) -> dict[str, Any]:
    return {"code": 0, "payment_id": f"p-{request.get('order_id', '')}", "balance": 2**60}


def send(given: dict[str, Any], *, services: Any = None, **config: Any) -> Any:
    async def work() -> Result:
        executor = RpcExecutor(RpcOptions(allow_networks=LOOPBACK, services=services or {}, max_response_bytes=2_000))
        try:
            return await executor.execute(call({"method": "Deduct", **config}, given))
        finally:
            await executor.close()

    return asyncio.run(work()).value


@pytest.mark.parametrize("reflects", [("v1", "v1alpha"), ("v1",), ("v1alpha",)])
def test_it_learns_the_service_by_reflection(reflects: tuple[str, ...]) -> None:
    with GrpcServer(payment_file(), {"Deduct": answer}, reflects=reflects) as server:
        value = send({"user_id": "u", "orderId": "7", "amount": "5"}, service=server.service, target=server.address)
        assert value == {"code": 0, "paymentId": "p-7", "balance": str(2**60)}
        assert server.seen[0][1] == {"user_id": "u", "order_id": "7", "amount": "5"}


@pytest.mark.parametrize("reflects", [("v1",), ("v1alpha",)])
def test_twenty_first_calls_at_once_ask_for_the_descriptors_once_and_all_arrive(reflects: tuple[str, ...]) -> None:
    async def work(target: str, service: str) -> list[Result]:
        executor = RpcExecutor(RpcOptions(allow_networks=LOOPBACK))
        config = {"service": service, "target": target, "method": "Deduct"}
        try:
            return await asyncio.gather(*(executor.execute(call(config, {"order_id": str(n)})) for n in range(20)))
        finally:
            await executor.close()

    with GrpcServer(payment_file(), {"Deduct": answer}, reflects=reflects) as server:
        for _ in range(5):  # the race was lost in nine runs of ten
            results = asyncio.run(work(server.address, server.service))
            assert [result.value["paymentId"] for result in results] == [f"p-{number}" for number in range(20)]


def test_it_names_fields_as_the_service_wants() -> None:
    with GrpcServer(payment_file(), {"Deduct": answer}) as server:
        listed = {"pay": {"target": server.address, "service": server.service, "field_names": "proto"}}
        assert send({}, services=listed, service="pay")["payment_id"] == "p-"


def test_a_server_without_reflection_is_told_plainly() -> None:
    with GrpcServer(payment_file(), {"Deduct": answer}, reflects=()) as server:
        with pytest.raises(TaskFailed, match="no reflection") as caught:
            send({}, service=server.service, target=server.address)
        assert caught.value.failure.sort is Sort.REFUSED


def test_it_sends_key_and_metadata() -> None:
    with GrpcServer(payment_file(), {"Deduct": answer}) as server:
        send({}, service=server.service, target=server.address, metadata={"X-Tenant": 7})
        metadata = server.seen[0][2]
        assert metadata["idempotency-key"] == "order-1:task"
        assert metadata["x-request-id"] == "request-7"
        assert metadata["x-tenant"] == "7"
        assert "traceparent" in metadata


@pytest.mark.parametrize("key", ["grpc-timeout", "idempotency-key", "a b", "blob-bin", "X\n", "content-length"])
def test_it_refuses_metadata_that_is_not_the_tasks(key: str) -> None:
    with pytest.raises(TaskFailed) as caught:
        send({}, service="a.B", target="127.0.0.1:1", metadata={key: "v"})
    assert caught.value.failure.code == "BAD_CONFIG"


def test_it_handles_well_known_types_and_nesting() -> None:
    file = describe(
        "demo.v2",
        "Orders",
        {"Put": ({"at": ".google.protobuf.Timestamp", "lines": "repeated string"}, {"total": {"cents": "int64"}})},
    )
    file.dependency.append("google/protobuf/timestamp.proto")
    with GrpcServer(file, {"Put": lambda _request, _context: {"total": {"cents": 5}}}) as server:
        given = {"at": "2026-11-23T10:00:00Z", "lines": ["a", "b"]}
        value = send(given, service=server.service, target=server.address, method="Put")
        assert value == {"total": {"cents": "5"}}
        assert server.seen[0][1] == given


def test_it_refuses_streams() -> None:
    file = payment_file()
    file.service[0].method[0].server_streaming = True
    with GrpcServer(file, {"Deduct": answer}) as server, pytest.raises(TaskFailed) as caught:
        send({}, service=server.service, target=server.address)
    assert caught.value.failure.code == "RPC_STREAMING"


def test_a_reply_beyond_the_limit_is_cut_and_one_beyond_the_wire_limit_maybe_applied() -> None:
    sizes = iter([3_000, 5_000_000])
    handlers = {"Deduct": lambda _request, _context: {"payment_id": "x" * next(sizes)}}
    with GrpcServer(payment_file(), handlers) as server:
        assert send({}, service=server.service, target=server.address)["cut"] is True
        with pytest.raises(TaskFailed) as caught:
            send({}, service=server.service, target=server.address)
        assert caught.value.failure.sort is Sort.MAYBE_APPLIED


async def sort_of_failure(executor: RpcExecutor, made: Call) -> Sort:
    """A call that meets the very end of the connection may have been applied; the one after it finds nobody."""
    sorts = []
    for _ in range(3):
        with pytest.raises(TaskFailed) as caught:
            await executor.execute(made)
        sorts.append(caught.value.failure.sort)
    assert set(sorts) <= {Sort.NEVER_SENT, Sort.MAYBE_APPLIED}
    return sorts[-1]


def test_a_restarted_server_is_found_again() -> None:
    with GrpcServer(payment_file(), {"Deduct": answer}) as first:
        port = first.port

        async def work() -> list[Any]:
            executor = RpcExecutor(RpcOptions(allow_networks=LOOPBACK))
            made = call({"service": first.service, "method": "Deduct", "target": f"127.0.0.1:{port}"})
            found: list[Any] = [(await executor.execute(made)).value["code"]]
            await asyncio.to_thread(first.stop)
            found.append(await sort_of_failure(executor, made))
            second = GrpcServer(payment_file(), {"Deduct": answer}, port=port).start()
            try:
                found.append((await executor.execute(made)).value["code"])
            finally:
                await executor.close()
                await asyncio.to_thread(second.stop)
            return found

        assert asyncio.run(work()) == [0, Sort.NEVER_SENT, 0]


def test_a_cancelled_call_is_cancelled_at_the_server() -> None:
    gone: list[bool] = []

    def wait(_request: dict[str, Any], context: grpc.ServicerContext) -> dict[str, Any]:
        context.add_callback(lambda: gone.append(True))
        until = time.monotonic() + 5
        while context.is_active() and time.monotonic() < until:
            time.sleep(0.01)
        return {}

    with GrpcServer(payment_file(), {"Deduct": wait}) as server:

        async def work() -> None:
            executor = RpcExecutor(RpcOptions(allow_networks=LOOPBACK))
            made = call({"service": server.service, "method": "Deduct", "target": server.address}, timeout=10)
            task = asyncio.ensure_future(executor.execute(made))
            while not server.seen:
                await asyncio.sleep(0.01)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            until = time.monotonic() + 2
            while not gone and time.monotonic() < until:
                await asyncio.sleep(0.01)
            await executor.close()

        asyncio.run(work())
    assert gone == [True]


def test_the_seeds_form_posts_json() -> None:
    with HttpServer() as server:
        listed = {"PaymentService": {"protocol": "http-json", "target": f"127.0.0.1:{server.port}"}}
        value = send({"amount": 100}, services=listed, service="PaymentService", method="deduct")
        assert value == {"status": "ok", "method": "deduct", "params": {"amount": 100}}
        seen = server.seen[0]
        assert (seen.method, seen.path, seen.headers["idempotency-key"]) == ("POST", "/rpc", "order-1:task")
        server.mode = "status/503"
        with pytest.raises(TaskFailed) as caught:
            send({}, services=listed, service="PaymentService", method="deduct")
        assert caught.value.failure.code == "HTTP_503"


def test_an_unlisted_plain_name_is_a_host_that_speaks_json() -> None:
    for name in ("payment-service", "inventory-service", "PaymentService"):
        service = find_service(name, target=None, protocol=None, options=RpcOptions())
        assert (service.protocol, service.url) == ("http-json", f"http://{name}/rpc")


@pytest.mark.parametrize("name", ["demo.v1.PaymentService", "a/b", "evil.example"])
def test_any_other_unlisted_name_is_unknown(name: str) -> None:
    with pytest.raises(BadService, match="not known"):
        find_service(name, target=None, protocol=None, options=RpcOptions())


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        ({}, "target"),
        ({"target": "unix:/x"}, "host:port"),
        ({"target": "a:1", "protocol": "soap"}, "protocol"),
        ({"protocol": "http-json"}, "url"),
        ({"targt": "a:1"}, "did you mean target"),
    ],
)
def test_it_says_what_is_wrong_with_a_service(raw: dict[str, Any], reason: str) -> None:
    with pytest.raises(BadService, match=reason):
        read_service("pay", raw)


def test_it_reads_several_targets() -> None:
    service = read_service("pay", {"targets": ["a:1", "[::1]:2"], "target": "", "url": "", "tls": False})
    assert service.targets == (("a", 1), ("::1", 2))


def test_hostile_descriptors_are_errors_and_no_crash() -> None:
    one = descriptor_pb2.FileDescriptorProto(name="a.proto", dependency=["b.proto"])
    two = descriptor_pb2.FileDescriptorProto(name="b.proto", dependency=["a.proto"])
    with pytest.raises(BadDescriptors, match="circle"):
        service_of(build_pool({"a.proto": one, "b.proto": two}), "a.B")
    lying = payment_file()
    lying.service[0].method[0].input_type = ".demo.v1.Nowhere"
    with pytest.raises(BadDescriptors):
        service_of(build_pool({lying.name: lying}), "demo.v1.PaymentService")
    chain = {
        f"{number}.proto": descriptor_pb2.FileDescriptorProto(
            name=f"{number}.proto", dependency=[f"{number + 1}.proto"] if number < 3_000 else []
        )
        for number in range(3_001)
    }
    with pytest.raises(BadDescriptors, match="without the service"):
        service_of(build_pool(chain), "a.B")
