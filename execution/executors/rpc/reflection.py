"""Descriptors of a service, asked of its server (reflection v1, else v1alpha), into a pool of its own.

A server's descriptors are input from outside: their number and size are bounded, cycles and gaps are errors.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from functools import partial
from typing import Any, Final

import grpc
from google.protobuf import (
    any_pb2,
    descriptor_pb2,
    descriptor_pool,
    duration_pb2,
    empty_pb2,
    field_mask_pb2,
    struct_pb2,
    timestamp_pb2,
    wrappers_pb2,
)
from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.message import DecodeError
from grpc import aio
from grpc_reflection.v1alpha import reflection_pb2

from disttask_project.kernel.messages import Message, text

# Both versions have the same messages on the wire; grpcio-reflection ships the older one's.
_VERSIONS: Final = ("v1", "v1alpha")
_MAX_FILES: Final = 500
_MAX_BYTES: Final = 8 * 1024 * 1024
_END: Final = aio.EOF  # type: ignore[attr-defined]  # missing from the stubs
File = descriptor_pb2.FileDescriptorProto
_WELL_KNOWN: Final = {
    module.DESCRIPTOR.name: module.DESCRIPTOR
    for module in (any_pb2, duration_pb2, empty_pb2, field_mask_pb2, struct_pb2, timestamp_pb2, wrappers_pb2)
}


class NoDescriptors(Exception):
    """The server does not describe the service; the message says why."""

    def __init__(self, message: Message) -> None:
        super().__init__(message)
        self.message = message


async def describe(channel: aio.Channel, service: str, *, timeout: float) -> ServiceDescriptor:
    """The service's descriptor. Raises `NoDescriptors`, or `grpc.aio.AioRpcError` where the call failed."""
    for version in _VERSIONS:
        try:
            files = await _ask(channel, version, service, timeout)
        except aio.AioRpcError as error:
            if error.code() is grpc.StatusCode.UNIMPLEMENTED:
                continue
            raise
        return _build(files, service)
    raise NoDescriptors(text("its server has no reflection: enable it there, or speak http-json to the service"))


async def _ask(channel: aio.Channel, version: str, service: str, timeout: float) -> dict[str, File]:
    # One stream a question, and the question sent with its opening: a `write` to a server that has answered
    # UNIMPLEMENTED already raises INTERNAL, and the true status is lost.
    question: Any = channel.unary_stream(
        f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo",
        request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
        response_deserializer=reflection_pb2.ServerReflectionResponse.FromString,
    )
    ask = partial(_fetch, question, until=time.monotonic() + timeout)
    files: dict[str, File] = {}
    size = await ask(files, reflection_pb2.ServerReflectionRequest(file_containing_symbol=service))
    while missing := _missing(files):
        size += await ask(files, reflection_pb2.ServerReflectionRequest(file_by_filename=missing), wanted=missing)
        if len(files) > _MAX_FILES or size > _MAX_BYTES:
            raise NoDescriptors(text("its descriptors are larger than what we accept"))
    return files


async def _fetch(question: Any, files: dict[str, File], request: Any, *, until: float, wanted: str = "") -> int:
    """Ask for one file; returns the bytes that came."""
    stream = question(request, timeout=max(0.001, until - time.monotonic()))
    try:
        reply = await stream.read()
    finally:
        stream.cancel()
    if reply is _END:
        raise NoDescriptors(text("its server ended the reflection stream"))
    if reply.HasField("error_response"):
        if _add_own(files, wanted):
            return 0
        raise NoDescriptors(text("its server says: {reason}", reason=reply.error_response.error_message[:300]))
    raw_files = reply.file_descriptor_response.file_descriptor_proto
    for raw in raw_files:
        try:
            file = File.FromString(raw)
        except DecodeError as error:
            raise NoDescriptors(text("its descriptors cannot be read")) from error
        files.setdefault(file.name, file)
    if wanted and wanted not in files:
        raise NoDescriptors(text("its server does not give the file {file}", file=wanted))
    return sum(map(len, raw_files))


def _add_own(files: dict[str, File], name: str) -> bool:
    """The well-known types are known here as well."""
    own = _WELL_KNOWN.get(name)
    if own is None:
        return False
    file = File()
    own.CopyToProto(file)
    files[name] = file
    return True


def _missing(files: dict[str, File]) -> str | None:
    return next((name for file in files.values() for name in file.dependency if name not in files), None)


def _build(files: dict[str, File], service: str) -> ServiceDescriptor:
    pool = descriptor_pool.DescriptorPool()
    try:
        for file in _in_order(files):
            pool.Add(file)
        return pool.FindServiceByName(service)
    except KeyError as error:
        raise NoDescriptors(text("its server describes files without the service {name}", name=service)) from error
    except TypeError as error:
        raise NoDescriptors(text("its descriptors contradict each other")) from error


def _in_order(files: dict[str, File]) -> Iterable[File]:
    """Every file after those it imports. Iterative: the chain is as deep as the server likes."""
    done: set[str] = set()
    for start, first in files.items():
        stack = [(start, iter(first.dependency))]
        path = {start}
        while stack and stack[0][0] not in done:
            name, imports = stack[-1]
            following = next((item for item in imports if item not in done), None)
            if following is None:
                stack.pop()
                path.discard(name)
                done.add(name)
                yield files[name]
            elif following in path:
                raise NoDescriptors(text("its descriptors import each other in a circle"))
            else:
                path.add(following)
                stack.append((following, iter(files[following].dependency)))
