"""JSON to message and back, over a real call: what goes in comes out, in protobuf's own JSON."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterator
from typing import Any

import pytest
from google.protobuf import (
    any_pb2,
    descriptor_pb2,
    duration_pb2,
    field_mask_pb2,
    struct_pb2,
    timestamp_pb2,
    wrappers_pb2,
)

from disttask_project.kernel import json
from execution.domain.outcome import Sort, TaskFailed
from execution.executors.options import RpcOptions
from execution.executors.rpc.executor import RpcExecutor
from execution.executors.rpc.messages import as_value, find_method
from flows.domain.descriptors import build_pool, find_service
from tests.fakes.grpc_server import GrpcServer
from tests.unit.execution.executors.calls import call

KINDS = (
    *("double", "float", "int32", "int64", "uint32", "uint64", "sint32", "sint64", "fixed32", "fixed64"),
    *("sfixed32", "sfixed64", "bool", "string", "bytes"),
)
GOOGLE = {
    "at": "Timestamp", "lasts": "Duration", "mask": "FieldMask", "tree": "Struct", "any_value": "Value",
    "items": "ListValue", "big": "Int64Value", "flag": "BoolValue", "words": "StringValue", "raw": "BytesValue",
    "packed": "Any",
}  # fmt: skip
FILES = (any_pb2, duration_pb2, field_mask_pb2, struct_pb2, timestamp_pb2, wrappers_pb2)


def everything() -> descriptor_pb2.FileDescriptorProto:
    """A message with a field of every kind; the method gives back what it got."""
    file = descriptor_pb2.FileDescriptorProto(name="all.proto", package="all.v1", syntax="proto3")
    file.dependency.extend(module.DESCRIPTOR.name for module in FILES)
    colour = file.enum_type.add(name="Colour")
    for number, name in enumerate(("NONE", "RED", "BLUE")):
        colour.value.add(name=name, number=number)
    message = file.message_type.add(name="All")

    def add(name: str, kind: str, *, type_name: str = "", repeated: bool = False, oneof: int | None = None) -> Any:
        field = message.field.add(name=name, number=len(message.field) + 1, type_name=type_name or None)
        field.type = getattr(field, f"TYPE_{kind.upper()}")
        field.label = field.LABEL_REPEATED if repeated else field.LABEL_OPTIONAL
        if oneof is not None:
            field.oneof_index = oneof
        return field

    for kind in KINDS:
        add(f"a_{kind}", kind)
    add("many", "int64", repeated=True)
    add("colour", "enum", type_name=".all.v1.Colour")
    add("inner", "message", type_name=".all.v1.All")
    for name, kind in GOOGLE.items():
        add(name, "message", type_name=f".google.protobuf.{kind}")
    message.oneof_decl.add(name="choice")
    add("left", "string", oneof=0)
    add("right", "int64", oneof=0)
    message.oneof_decl.add(name="_maybe")
    add("maybe", "int32", oneof=1).proto3_optional = True
    for name, kind in (("prices", "int64"), ("nodes", "message")):
        entry = message.nested_type.add(name=f"{name.title()}Entry")
        entry.options.map_entry = True
        entry.field.add(name="key", number=1, type=9, label=1)
        value = entry.field.add(name="value", number=2, label=1, type=getattr(entry.field[0], f"TYPE_{kind.upper()}"))
        if kind == "message":
            value.type_name = ".all.v1.All"
        add(name, "message", type_name=f".all.v1.All.{name.title()}Entry", repeated=True)
    file.service.add(name="Mirror").method.add(name="Show", input_type=".all.v1.All", output_type=".all.v1.All")
    return file


@pytest.fixture(scope="module")
def server() -> Iterator[GrpcServer]:
    with GrpcServer(everything(), {"Show": lambda request, _context: request}) as made:
        yield made


def mirrored(server: GrpcServer, given: dict[str, Any]) -> Any:
    async def work() -> Any:
        executor = RpcExecutor(RpcOptions(allow_networks=("127.0.0.0/8",)))
        config = {"service": "all.v1.Mirror", "method": "Show", "target": server.address}
        try:
            return (await executor.execute(call(config, given))).value
        finally:
            await executor.close()

    return asyncio.run(work())


TABLE: list[tuple[str, Any, Any]] = [
    ("aInt64", "9223372036854775807", "9223372036854775807"),
    ("aInt64", 9007199254740993, "9007199254740993"),
    ("aInt64", -(2**63), str(-(2**63))),
    ("a_int64", 5, "5"),
    ("aUint64", "18446744073709551615", "18446744073709551615"),
    ("aFixed64", "18446744073709551615", "18446744073709551615"),
    ("aSfixed64", -1, "-1"),
    ("aSint64", "-9223372036854775808", "-9223372036854775808"),
    ("aInt32", -(2**31), -(2**31)),
    ("aUint32", 2**32 - 1, 2**32 - 1),
    ("aDouble", 0.1, 0.1),
    ("aDouble", "NaN", "NaN"),
    ("aDouble", "-Infinity", "-Infinity"),
    ("aFloat", 0.5, 0.5),
    ("aBool", True, True),
    ("aString", "订单 😀 \"\\", "订单 😀 \"\\"),
    ("aString", "a\x00b", "a\ufffdb"),
    ("aBytes", "AP8=", "AP8="),
    ("aBytes", "AP8", "AP8="),
    ("many", ["1", 2, "9223372036854775807"], ["1", "2", "9223372036854775807"]),
    ("colour", "RED", "RED"),
    ("colour", 2, "BLUE"),
    ("colour", 77, 77),
    ("inner", {"aInt32": 1, "inner": {"aString": "x"}}, {"aInt32": 1, "inner": {"aString": "x"}}),
    ("prices", {"apple": "5", "": 0}, {"apple": "5", "": "0"}),
    ("nodes", {"a": {"aInt32": 3}}, {"a": {"aInt32": 3}}),
    ("left", "", ""),
    ("right", 0, "0"),
    ("maybe", 0, 0),
    ("at", "2026-11-27T10:00:00.123456789Z", "2026-11-27T10:00:00.123456789Z"),
    ("at", "2026-11-27T18:00:00+08:00", "2026-11-27T10:00:00Z"),
    ("lasts", "-1.500s", "-1.500s"),
    ("mask", "aInt32,inner.aString", "aInt32,inner.aString"),
    ("tree", {"a": [1, None, {"b": "c"}], "d": 0.5}, {"a": [1, None, {"b": "c"}], "d": 0.5}),
    ("tree", {"huge": 1e300}, {"huge": 1e300}),
    ("anyValue", None, None),
    ("anyValue", [1, "x"], [1, "x"]),
    ("items", [True, {}], [True, {}]),
    ("big", "9223372036854775807", "9223372036854775807"),
    ("flag", False, False),
    ("words", "", ""),
    ("raw", "AA==", "AA=="),
    ("packed", {"@type": "type.googleapis.com/google.protobuf.Duration", "value": "3s"},
     {"@type": "type.googleapis.com/google.protobuf.Duration", "value": "3s"}),
    ("packed", {"@type": "type.googleapis.com/all.v1.All", "left": "x"},
     {"@type": "type.googleapis.com/all.v1.All", "left": "x"}),
]  # fmt: skip


def given_part(value: Any, whole: Any) -> Any:
    """Of a reply, what was asked of it: fields without presence are there with their zero besides."""
    if isinstance(value, dict) and isinstance(whole, dict):
        return {key: given_part(value[key], whole[key]) for key in value if key in whole}
    return whole


@pytest.mark.parametrize(("name", "sent", "expected"), TABLE)
def test_a_value_comes_back_as_it_went(server: GrpcServer, name: str, sent: Any, expected: Any) -> None:
    value = mirrored(server, {name: sent})
    shown = next(key for key in (name, "aInt64") if key in value)
    assert given_part(expected, value[shown]) == expected
    assert isinstance(value[shown], type(expected))
    assert json.fault_in(value) is None


def test_what_is_without_presence_is_there_and_the_rest_is_not(server: GrpcServer) -> None:
    value = mirrored(server, {})
    assert (value["aInt64"], value["aString"], value["many"], value["prices"], value["colour"]) == (
        "0",
        "",
        [],
        {},
        "NONE",
    )
    assert not {"left", "right", "maybe", "inner", "at", "big"}.intersection(value)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"aInt64": "9223372036854775808"}, "aInt64"),
        ({"aInt32": 1.5}, "aInt32"),
        ({"aUint64": -1}, "aUint64"),
        ({"aBytes": 5}, "aBytes"),
        ({"colour": "GREEN"}, "colour"),
        ({"left": "a", "right": 1}, "choice"),
        ({"at": "yesterday"}, "at"),
        ({"aInt64": True}, "aInt64"),
        ({"nothing": 1}, "nothing"),
        ({"packed": {"@type": "type.googleapis.com/no.Such"}}, "no.Such"),
        ({"many": 5}, "many"),
    ],
)
def test_what_does_not_fit_is_refused_by_its_name(server: GrpcServer, given: dict[str, Any], words: str) -> None:
    with pytest.raises(TaskFailed, match=words) as caught:
        mirrored(server, given)
    assert (caught.value.failure.code, caught.value.failure.sort) == ("RPC_BAD_INPUT", Sort.REFUSED)


def test_too_deep_a_reply_may_have_been_done(server: GrpcServer) -> None:
    deep: dict[str, Any] = {"aInt32": 1}
    for _ in range(95):
        deep = {"inner": deep}
    assert mirrored(server, {"inner": {"aDouble": math.pi}})["inner"]["aDouble"] == math.pi
    with pytest.raises(TaskFailed) as caught:
        mirrored(server, {"tree": {"a": nested(60)}, "inner": deep})
    assert caught.value.failure.sort in {Sort.MAYBE_APPLIED, Sort.REFUSED}


def nested(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


def test_a_small_reply_of_wide_messages_is_not_blown_up() -> None:
    wide = descriptor_pb2.FileDescriptorProto(name="wide.proto", package="wide.v1", syntax="proto3")
    one = wide.message_type.add(name="One")
    for number in range(1, 2_001):
        one.field.add(name=f"f{number}", number=number, type=5, label=1)
    many = wide.message_type.add(name="Many")
    many.field.add(name="ones", number=1, type=11, type_name=".wide.v1.One", label=3)
    wide.service.add(name="Wide").method.add(name="Show", input_type=".wide.v1.One", output_type=".wide.v1.Many")

    method = find_method(find_service(build_pool({wide.name: wide}), "wide.v1.Wide"), "Show")
    with pytest.raises(TaskFailed, match="more than") as caught:  # 200 kB on the wire, 200 million values as JSON
        as_value(method, b"\n\x00" * 100_000, keeps_names=False)
    assert (caught.value.failure.code, caught.value.failure.sort) == ("BROKEN_RESPONSE", Sort.MAYBE_APPLIED)
    few: Any = as_value(method, b"\n\x00" * 3, keeps_names=False)
    assert len(few["ones"]) == 3
