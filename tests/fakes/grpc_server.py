"""A real gRPC target on a loopback socket, made from descriptors built in code, with server reflection.

    file = describe("demo.v1", "PaymentService", {"Deduct": ({"user_id": "string"}, {"code": "int32"})})
    with GrpcServer(file, {"Deduct": lambda request, context: {"code": 0}}) as target:
        target.address

No protoc: field types are named as in a .proto file, `repeated string` included; a mapping is a nested message;
`.google.protobuf.Timestamp` is known where `file.dependency` names its file.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory
from grpc_reflection.v1alpha import reflection, reflection_pb2, reflection_pb2_grpc

from flows.domain.descriptors import build_pool, read_set

Fields = Mapping[str, Any]
Handler = Callable[[dict[str, Any], grpc.ServicerContext], dict[str, Any]]
_V1_NAME = "grpc.reflection.v1.ServerReflection"


def describe(
    package: str, service: str, methods: Mapping[str, tuple[Fields, Fields]]
) -> descriptor_pb2.FileDescriptorProto:
    """A proto3 file with one service: {method: (request fields, reply fields)}, a field's type by its name."""
    file = descriptor_pb2.FileDescriptorProto(
        name=f"{package.replace('.', '/')}/{service.lower()}.proto", package=package, syntax="proto3"
    )
    described = file.service.add(name=service)
    for method, (request, reply) in methods.items():
        _message(file.message_type.add(name=f"{method}Request"), request, f".{package}.{method}Request")
        _message(file.message_type.add(name=f"{method}Reply"), reply, f".{package}.{method}Reply")
        described.method.add(
            name=method, input_type=f".{package}.{method}Request", output_type=f".{package}.{method}Reply"
        )
    return file


def _message(message: descriptor_pb2.DescriptorProto, fields: Fields, full_name: str) -> None:
    for number, (name, kind) in enumerate(fields.items(), start=1):
        added = message.field.add(name=name, number=number)
        added.label = added.LABEL_OPTIONAL
        if isinstance(kind, Mapping):
            nested = name.title().replace("_", "")
            _message(message.nested_type.add(name=nested), kind, f"{full_name}.{nested}")
            added.type = added.TYPE_MESSAGE
            added.type_name = f"{full_name}.{nested}"
            continue
        words = kind.split()
        if words[0] == "repeated":
            added.label = added.LABEL_REPEATED
        if words[-1].startswith("."):
            added.type = added.TYPE_MESSAGE
            added.type_name = words[-1]
        else:
            added.type = getattr(added, f"TYPE_{words[-1].upper()}")


@dataclass
class GrpcServer:
    """Serves the first service of `file`. `seen` lists (method, request, metadata) of every call."""

    file: descriptor_pb2.FileDescriptorProto
    handlers: Mapping[str, Handler]
    port: int = 0
    host: str = "127.0.0.1"
    reflects: tuple[str, ...] = ("v1", "v1alpha")
    seen: list[tuple[str, dict[str, Any], dict[str, str]]] = field(default_factory=list)
    max_bytes: int = 64 * 1024 * 1024
    credentials: grpc.ServerCredentials | None = None

    @property
    def address(self) -> str:
        return f"{self.host}:{self.port}"

    @property
    def service(self) -> str:
        return f"{self.file.package}.{self.file.service[0].name}"

    def start(self) -> GrpcServer:
        pool = build_pool(read_set(descriptor_pb2.FileDescriptorSet(file=[self.file]).SerializeToString()))
        self._server = grpc.server(
            ThreadPoolExecutor(max_workers=16),
            options=[("grpc.so_reuseport", 0), ("grpc.max_send_message_length", self.max_bytes)],
        )
        described = pool.FindServiceByName(self.service)
        self._server.add_generic_rpc_handlers(
            (
                grpc.method_handlers_generic_handler(
                    self.service,
                    {method.name: self._handler(method, pool) for method in described.methods},
                ),
            )
        )
        self._reflect(pool)
        where = f"{self.host}:{self.port}"
        self.port = (
            self._server.add_insecure_port(where)
            if self.credentials is None
            else self._server.add_secure_port(where, self.credentials)
        )
        self._server.start()
        return self

    def stop(self, grace: float | None = None) -> None:
        self._server.stop(grace).wait(10)

    def __enter__(self) -> GrpcServer:
        return self.start()

    def __exit__(self, *_exc: object) -> None:
        self.stop()

    def _reflect(self, pool: descriptor_pool.DescriptorPool) -> None:
        servicer = reflection.ReflectionServicer((self.service,), pool=pool)
        if "v1alpha" in self.reflects:
            reflection_pb2_grpc.add_ServerReflectionServicer_to_server(servicer, self._server)
        if "v1" in self.reflects:
            # The same messages under the newer name, which grpcio-reflection does not serve itself.
            handler = grpc.stream_stream_rpc_method_handler(
                servicer.ServerReflectionInfo,
                request_deserializer=reflection_pb2.ServerReflectionRequest.FromString,
                response_serializer=reflection_pb2.ServerReflectionResponse.SerializeToString,
            )
            generic = grpc.method_handlers_generic_handler(_V1_NAME, {"ServerReflectionInfo": handler})
            self._server.add_generic_rpc_handlers((generic,))

    def _handler(self, method: Any, pool: descriptor_pool.DescriptorPool) -> grpc.RpcMethodHandler[Any, Any]:
        request_type = message_factory.GetMessageClass(method.input_type)
        reply_type = message_factory.GetMessageClass(method.output_type)
        handle = self.handlers[method.name]

        def serve(request: Any, context: grpc.ServicerContext) -> Any:
            given = json_format.MessageToDict(request, preserving_proto_field_name=True, descriptor_pool=pool)
            metadata = {key: str(value) for key, value in context.invocation_metadata()}
            self.seen.append((method.name, given, metadata))
            reply = handle(given, context)
            return json_format.ParseDict(reply, reply_type(), descriptor_pool=pool)

        def stream(request: Any, context: grpc.ServicerContext) -> Any:
            yield serve(request, context)

        make = grpc.unary_stream_rpc_method_handler if method.server_streaming else grpc.unary_unary_rpc_method_handler
        return make(
            stream if method.server_streaming else serve,
            request_deserializer=request_type.FromString,
            response_serializer=reply_type.SerializeToString,
        )


def payment_file() -> descriptor_pb2.FileDescriptorProto:
    """A payment service as many tests use it."""
    return describe(
        "demo.v1",
        "PaymentService",
        {
            "Deduct": (
                {"user_id": "string", "amount": "int64", "order_id": "string"},
                {"code": "int32", "payment_id": "string", "balance": "int64"},
            )
        },
    )
