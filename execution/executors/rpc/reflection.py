"""Descriptors of a service, asked of its server (reflection v1, else v1alpha), into a pool of its own."""

from __future__ import annotations

import time
from functools import partial
from typing import Any, Final

import grpc
from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.message import DecodeError
from grpc import aio
from grpc_reflection.v1alpha import reflection_pb2

from disttask_project.kernel.messages import text
from flows.domain.descriptors import (
    MAX_BYTES,
    MAX_FILES,
    BadDescriptors,
    File,
    Files,
    add_well_known,
    build_pool,
    find_service,
    missing_import,
)

# Both versions have the same messages on the wire; grpcio-reflection ships the older one's.
_VERSIONS: Final = ("v1", "v1alpha")
_END: Final = aio.EOF  # type: ignore[attr-defined]  # missing from the stubs


async def describe(channel: aio.Channel, service: str, *, timeout: float) -> ServiceDescriptor:
    """The service's descriptor. Raises `BadDescriptors`, or `grpc.aio.AioRpcError` where the call failed."""
    for version in _VERSIONS:
        try:
            files = await _ask(channel, version, service, timeout)
        except aio.AioRpcError as error:
            if error.code() is grpc.StatusCode.UNIMPLEMENTED:
                continue
            raise
        return find_service(build_pool(files), service)
    raise BadDescriptors(
        text(
            "its server has no reflection: enable it there, upload its descriptors to the task catalog, or speak "
            "http-json to the service"
        )
    )


async def _ask(channel: aio.Channel, version: str, service: str, timeout: float) -> Files:
    # One stream a question, and the question sent with its opening: a `write` to a server that has answered
    # UNIMPLEMENTED already raises INTERNAL, and the true status is lost.
    question: Any = channel.unary_stream(
        f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo",
        request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
        response_deserializer=reflection_pb2.ServerReflectionResponse.FromString,
    )
    ask = partial(_fetch, question, until=time.monotonic() + timeout)
    files: Files = {}
    size = await ask(files, reflection_pb2.ServerReflectionRequest(file_containing_symbol=service))
    while missing := missing_import(files):
        if len(files) > MAX_FILES or size > MAX_BYTES:
            break
        size += await ask(files, reflection_pb2.ServerReflectionRequest(file_by_filename=missing), wanted=missing)
    if len(files) > MAX_FILES or size > MAX_BYTES:
        raise BadDescriptors(text("its descriptors are larger than what we accept"))
    return files


async def _fetch(question: Any, files: Files, request: Any, *, until: float, wanted: str = "") -> int:
    """Ask for one file; returns the bytes that came."""
    stream = question(request, timeout=max(0.001, until - time.monotonic()))
    try:
        reply = await stream.read()
    finally:
        stream.cancel()
    if reply is _END:
        raise BadDescriptors(text("its server ended the reflection stream"))
    if reply.HasField("error_response"):
        if add_well_known(files, wanted):
            return 0
        raise BadDescriptors(text("its server says: {reason}", reason=reply.error_response.error_message[:300]))
    raw_files = reply.file_descriptor_response.file_descriptor_proto
    for raw in raw_files:
        try:
            file = File.FromString(raw)
        except DecodeError as error:
            raise BadDescriptors(text("its descriptors cannot be read")) from error
        files.setdefault(file.name, file)
    if wanted and wanted not in files:
        raise BadDescriptors(text("its server does not give the file {file}", file=wanted))
    return sum(map(len, raw_files))
