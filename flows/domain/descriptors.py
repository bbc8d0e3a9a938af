"""Descriptors of gRPC services: files of a FileDescriptorSet, completed, put in order, built, looked into.

They come from outside (an upload, a server's reflection): number and size are bounded, cycles and gaps are errors.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from google.protobuf import (
    any_pb2,
    api_pb2,
    descriptor_pb2,
    descriptor_pool,
    duration_pb2,
    empty_pb2,
    field_mask_pb2,
    source_context_pb2,
    struct_pb2,
    timestamp_pb2,
    type_pb2,
    wrappers_pb2,
)
from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import DecodeError

from disttask_project.kernel.messages import Message, text

MAX_FILES: Final = 500
MAX_BYTES: Final = 8 * 1024 * 1024
File = descriptor_pb2.FileDescriptorProto
Files = dict[str, File]
_WELL_KNOWN: Final = {
    module.DESCRIPTOR.name: module.DESCRIPTOR
    for module in (
        *(any_pb2, api_pb2, descriptor_pb2, duration_pb2, empty_pb2, field_mask_pb2),
        *(source_context_pb2, struct_pb2, timestamp_pb2, type_pb2, wrappers_pb2),
    )
}


class BadDescriptors(Exception):
    """They do not describe what was asked for; the message says why."""

    def __init__(self, message: Message) -> None:
        super().__init__(message)
        self.message = message


@dataclass(frozen=True, slots=True, kw_only=True)
class DescribedService:
    """A service of a set: its full name, and its methods with what they take and give."""

    name: str
    methods: Sequence[Mapping[str, object]]


def read_set(raw: bytes) -> Files:
    """The files of a serialized FileDescriptorSet, with what they import. Raises `BadDescriptors`."""
    if len(raw) > MAX_BYTES:
        raise BadDescriptors(text("they are larger than what we accept"))
    try:
        found = descriptor_pb2.FileDescriptorSet.FromString(raw)
    except DecodeError as error:
        raise BadDescriptors(
            text("the file is no FileDescriptorSet; protoc --descriptor_set_out writes one")
        ) from error
    files: Files = {}
    for file in found.file:
        files.setdefault(file.name, file)
    if not files:
        raise BadDescriptors(text("the file is no FileDescriptorSet; protoc --descriptor_set_out writes one"))
    if len(files) > MAX_FILES:
        raise BadDescriptors(text("they are larger than what we accept"))
    while (name := missing_import(files)) is not None:
        if not add_well_known(files, name):
            raise BadDescriptors(text("it imports {file} and does not hold it; add --include_imports", file=name))
    return files


def missing_import(files: Files) -> str | None:
    return next((name for file in files.values() for name in file.dependency if name not in files), None)


def add_well_known(files: Files, name: str) -> bool:
    """The well-known types are known here as well."""
    own = _WELL_KNOWN.get(name)
    if own is None:
        return False
    file = File()
    own.CopyToProto(file)
    files[name] = file
    return True


def build_pool(files: Files) -> DescriptorPool:
    """Raises `BadDescriptors`."""
    pool = descriptor_pool.DescriptorPool()
    try:
        for file in _in_order(files):
            pool.Add(file)
        for file in files.values():
            pool.FindFileByName(file.name)  # the pure implementation builds here only
    except (TypeError, KeyError, ValueError) as error:
        reason = " ".join(str(error).split())[:300].rstrip(".")
        raise BadDescriptors(text("they contradict each other: {reason}", reason=reason)) from error
    return pool


def find_service(pool: DescriptorPool, service: str) -> ServiceDescriptor:
    """Raises `BadDescriptors` where the pool has no such service."""
    try:
        found: ServiceDescriptor = pool.FindServiceByName(service)
    except KeyError as error:
        raise BadDescriptors(text("its server describes files without the service {name}", name=service)) from error
    return found


def described_services(files: Files) -> Sequence[DescribedService]:
    """What a set offers, in the order of the names."""
    found = []
    for file in files.values():
        prefix = f"{file.package}." if file.package else ""
        for service in file.service:
            methods = [
                {
                    "name": method.name,
                    "input": method.input_type.removeprefix("."),
                    "output": method.output_type.removeprefix("."),
                    "streams": method.client_streaming or method.server_streaming,
                }
                for method in service.method
            ]
            found.append(DescribedService(name=f"{prefix}{service.name}", methods=methods))
    return sorted(found, key=lambda service: service.name)


def _in_order(files: Files) -> Iterable[File]:
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
                raise BadDescriptors(text("they import each other in a circle"))
            else:
                path.add(following)
                stack.append((following, iter(files[following].dependency)))
