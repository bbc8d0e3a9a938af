"""F11: a gRPC target that breaks every rule costs its task a clear outcome; what may be done is never "never sent"."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from google.protobuf import descriptor_pb2
from google.protobuf.descriptor import ServiceDescriptor

from execution.domain.outcome import Result, Sort, TaskFailed
from execution.executors.options import RpcOptions
from execution.executors.rpc.executor import RpcExecutor
from flows.domain.descriptors import build_pool, find_service
from tests.contract.memory import peak_growth
from tests.fakes.grpc_server import GrpcServer, payment_file
from tests.fakes.hostile_grpc import HostileGrpc
from tests.unit.execution.executors.calls import call

MIB = 1024 * 1024
OPTIONS = RpcOptions(allow_networks=("127.0.0.0/8",), connect_timeout=2)
MAYBE, REFUSED = Sort.MAYBE_APPLIED, Sort.REFUSED
# way -> sort of the failure; None: it succeeds. In each the request came whole: nothing may be "never sent".
TABLE: dict[str, Sort | None] = {
    "fine": None,
    "trailers_only_unavailable": MAYBE,
    "forged_unavailable": MAYBE,
    "trailers_only_ok": MAYBE,
    "trailers_only_refused": REFUSED,
    "no_such_status": MAYBE,
    "no_status": MAYBE,
    "two_messages": MAYBE,
    "silent": MAYBE,
    "half_a_message": MAYBE,
    "fifty_megabytes": MAYBE,
    "packed_unannounced": MAYBE,
    "goaway": MAYBE,
    "goaway_then_answer": None,
    "enhance_your_calm": MAYBE,
    "reset_internal": MAYBE,
    "reset_refused": MAYBE,
    "reset_cancel": MAYBE,
    "reset_calm": MAYBE,
    "reset_insecure": MAYBE,
    "http_503": MAYBE,
    "closed": MAYBE,
    "garbage": MAYBE,
    "header_flood": MAYBE,
}


class Uploaded:
    """The payment service's descriptors, as from the task catalog: the server is asked for the call alone."""

    async def find(self, service: str, *, pinned: str) -> tuple[str, ServiceDescriptor] | None:
        del pinned
        file = payment_file()
        return "hash", find_service(build_pool({file.name: file}), service)


def outcome(address: str, *, library: Any = None, seconds: float = 10, **given: Any) -> Result | TaskFailed:
    async def work() -> Result | TaskFailed:
        executor = RpcExecutor(OPTIONS, library)
        config = {"service": "demo.v1.PaymentService", "method": "Deduct", "target": address}
        found: Result | TaskFailed
        try:
            found = await asyncio.wait_for(executor.execute(call(config, given, timeout=seconds)), seconds + 20)
        except TaskFailed as error:
            found = error
        await executor.close()
        return found

    return asyncio.run(work())


@pytest.mark.parametrize("way", sorted(TABLE))
def test_every_way_to_misbehave_has_its_outcome(way: str) -> None:
    with HostileGrpc(way) as server:
        found = outcome(server.address, library=Uploaded(), seconds=1 if way in {"silent", "two_messages"} else 10)
    assert server.calls == 1  # nothing is sent twice, and it did arrive
    assert (None if isinstance(found, Result) else found.failure.sort) == TABLE[way], found


def test_memory_stays_bounded() -> None:
    with HostileGrpc("fine") as server:
        outcome(server.address, library=Uploaded())
    with peak_growth() as growth:
        for way in ("fifty_megabytes", "header_flood") * 3:
            with HostileGrpc(way) as server:
                outcome(server.address, library=Uploaded())
        huge = {"Deduct": lambda _request, _context: {"payment_id": "x" * 6_000_000}}
        with GrpcServer(payment_file(), huge) as honest:
            outcome(honest.address)
    assert growth.bytes < 64 * MIB


def descriptors(count: int) -> descriptor_pb2.FileDescriptorProto:
    """The payment service, and as many messages beside it."""
    file = payment_file()
    for number in range(count):
        message = file.message_type.add(name=f"Padding{number}")
        for field in range(1, 60):
            message.field.add(name=f"a_long_name_of_a_field_{field}", number=field, type=9, label=1)
    return file


@pytest.mark.parametrize(("count", "sort"), [(1_000, None), (2_300, Sort.NEVER_SENT)])
def test_large_descriptors_are_read_and_huge_ones_are_not(count: int, sort: Sort | None) -> None:
    with GrpcServer(descriptors(count), {"Deduct": lambda _request, _context: {"code": 0}}) as server:
        found = outcome(server.address, seconds=30)
    assert (None if isinstance(found, Result) else found.failure.sort) == sort
    assert len(server.seen) == (1 if sort is None else 0)


def test_a_type_that_holds_itself_is_no_trouble() -> None:
    file = payment_file()
    request = file.message_type[0]
    request.field.add(name="again", number=99, type=11, type_name=".demo.v1.DeductRequest", label=1)
    with GrpcServer(file, {"Deduct": lambda _request, _context: {"code": 0}}) as server:
        assert isinstance(outcome(server.address, again={"again": {"user_id": "u"}}), Result)


@pytest.mark.parametrize("reflects", [(), ("v1",)])
def test_a_server_that_describes_nothing_or_something_else_is_told_plainly(reflects: tuple[str, ...]) -> None:
    other = payment_file()
    other.service[0].name = "OtherService"
    with GrpcServer(other, {"Deduct": lambda _request, _context: {"code": 0}}, reflects=reflects) as server:
        found = outcome(server.address)
    assert isinstance(found, TaskFailed)
    assert (found.failure.code, found.failure.sort) == ("RPC_NO_DESCRIPTORS", REFUSED)
    assert server.seen == []
