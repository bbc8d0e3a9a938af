"""Descriptor sets in the task catalog: put in, counted, used, taken out, by every way in."""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from google.protobuf import descriptor_pb2

from disttask_project.audit.models import AuditEntry
from disttask_project.kernel.actor import system_actor
from disttask_project.kernel.errors import Conflict, InvalidInput, NotFound
from execution.domain.outcome import TaskFailed
from execution.executors.rpc.executor import RpcExecutor
from flows import describing, services
from flows.models import DescriptorSet
from tests.fakes.grpc_server import GrpcServer, payment_file
from tests.unit.execution.executors.calls import call

pytestmark = [pytest.mark.store, pytest.mark.django_db(transaction=True)]
ACTOR = system_actor("test", source="cli")
SERVICE = "demo.v1.PaymentService"


def packed(*files: descriptor_pb2.FileDescriptorProto) -> bytes:
    return descriptor_pb2.FileDescriptorSet(file=files or (payment_file(),)).SerializeToString()


def older() -> bytes:
    """The same service before it had an order_id."""
    file = payment_file()
    del file.message_type[0].field[2]
    return packed(file)


def put(content: bytes = b"", name: str = "") -> DescriptorSet:
    return describing.put_descriptor_set(content=content or packed(), name=name, actor=ACTOR)[0]


def flow(name: str, **config: Any) -> None:
    task = {"id": "pay", "task_name": "rpc", "config": {"service": SERVICE, "target": "10.0.0.1:1", "method": "Deduct"}}
    task["config"] |= config  # type: ignore[operator]
    services.create_flow(definition={"name": name, "tasks": [task]}, actor=ACTOR)


def test_a_set_is_kept_under_its_hash() -> None:
    row = put()
    assert (row.hash, row.name, row.size) == (hashlib.sha256(packed()).hexdigest(), SERVICE, len(packed()))
    method = {"name": "Deduct", "input": "demo.v1.DeductRequest", "output": "demo.v1.DeductReply", "streams": False}
    assert row.services == [{"name": SERVICE, "methods": [method]}]
    assert describing.content_of(row.hash) == packed()
    assert AuditEntry.objects.get(act="put_descriptor_set").object_id == row.hash


def test_the_newest_counts_and_an_older_one_may_again() -> None:
    first, second = put(older()), put(packed())
    assert describing.newest_by_service() == {SERVICE: second.hash}
    _, is_new = describing.put_descriptor_set(content=older(), actor=ACTOR)
    assert not is_new
    assert describing.newest_by_service() == {SERVICE: first.hash}
    assert DescriptorSet.objects.count() == 2


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "no FileDescriptorSet"),
        (b"\xff\xff\xff", "no FileDescriptorSet"),
        (b"syntax = 'proto3';", "no FileDescriptorSet"),
        (packed(descriptor_pb2.FileDescriptorProto(name="a.proto", dependency=["b.proto"])), "--include_imports"),
        (packed(descriptor_pb2.FileDescriptorProto(name="a.proto")), "no service"),
        (b"\n\x05\n\x03a.p" * 1_300_000 + b"\n\x00", "larger"),
    ],
)
def test_what_is_no_set_is_refused_with_the_mend(content: bytes, words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        describing.put_descriptor_set(content=content, actor=ACTOR)


def test_it_says_where_a_set_is_used_and_holds_what_is_pinned() -> None:
    first, second = put(older()), put(packed())
    flow("by-name")
    flow("by-hash", descriptors=f"sha256:{first.hash}")
    uses = describing.uses_by_set([first, second])
    assert [(use["flow"].name, use["pinned"]) for use in uses[second.hash]] == [("by-name", False)]
    assert [(use["flow"].name, use["pinned"]) for use in uses[first.hash]] == [("by-hash", True)]
    with pytest.raises(Conflict, match="by-hash"):
        describing.remove_descriptor_set(digest=first.hash, actor=ACTOR)
    describing.remove_descriptor_set(digest=second.hash, actor=ACTOR)
    with pytest.raises(NotFound):
        describing.get_descriptor_set(second.hash)


def test_a_task_needs_no_reflection_where_the_catalog_describes_its_service(settings: Any) -> None:
    settings.DISTTASK = settings.DISTTASK | {"RPC_ALLOW_NETWORKS": ["127.0.0.0/8"]}
    first, _second = put(older()), put(packed())

    async def work(address: str) -> list[Any]:
        executor = RpcExecutor()
        config = {"service": SERVICE, "method": "Deduct", "target": address}
        found: list[Any] = [(await executor.execute(call(config, {"order_id": "o1"}))).value["paymentId"]]
        for more in ({"descriptors": first.hash}, {"descriptors": "f" * 64}):
            with pytest.raises(TaskFailed) as caught:
                await executor.execute(call(config | more, {"order_id": "o1"}))
            found.append(caught.value.failure.code)
        await executor.close()
        return found

    handlers = {"Deduct": lambda request, _context: {"payment_id": f"p-{request['order_id']}"}}
    with GrpcServer(payment_file(), handlers, reflects=()) as server:
        assert asyncio.run(work(server.address)) == ["p-o1", "RPC_BAD_INPUT", "RPC_NO_DESCRIPTORS"]


def test_the_command_takes_shows_and_removes_a_set(tmp_path: Path) -> None:
    file = tmp_path / "payment.pb"
    file.write_bytes(packed())

    def run(*arguments: str) -> Any:
        out = io.StringIO()
        call_command("descriptors", *arguments, "--json", stdout=out)
        return json.loads(out.getvalue())

    put_in = run("put", str(file), "--name", "payment")
    assert (put_in["name"], put_in["new"]) == ("payment", True)
    assert [row["hash"] for row in run("list")] == [put_in["hash"]]
    assert run("show", put_in["hash"])["used_by"] == []
    assert run("remove", put_in["hash"])["removed"] is True
    assert run("list") == []
