"""Between JSON and the messages of a described method."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import Any

from google.protobuf import json_format, message_factory
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.descriptor_pool import DescriptorPool

from disttask_project.kernel import json
from disttask_project.kernel.messages import text
from execution.domain.outcome import Sort, TaskFailed
from execution.executors.sealing import outside_text


@dataclass(frozen=True, slots=True)
class Method:
    """A unary method, ready to be called."""

    path: str
    request: Any  # message classes
    reply: Any
    pool: DescriptorPool


def find_method(service: ServiceDescriptor, name: str) -> Method:
    """The method of a service. Raises `TaskFailed` (refused) where there is none, or it streams."""
    found: MethodDescriptor | None = service.methods_by_name.get(name)
    if found is None:
        known = sorted(service.methods_by_name)
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
        hint = text("did you mean {near}?", near=near[0]) if near else text("it has: {known}", known=", ".join(known))
        raise TaskFailed(
            Sort.REFUSED,
            "RPC_UNKNOWN_METHOD",
            text("{service} has no method {method}; {hint}", service=service.full_name, method=name, hint=hint),
        )
    if found.client_streaming or found.server_streaming:
        raise TaskFailed(
            Sort.REFUSED,
            "RPC_STREAMING",
            text("{service}.{method} streams; tasks call unary methods.", service=service.full_name, method=name),
        )
    return Method(
        path=f"/{service.full_name}/{name}",
        request=message_factory.GetMessageClass(found.input_type),
        reply=message_factory.GetMessageClass(found.output_type),
        pool=service.file.pool,
    )


def as_request(method: Method, value: dict[str, Any]) -> bytes:
    """The serialized request. Raises `TaskFailed` (refused) naming field and reason."""
    message = method.request()
    try:
        json_format.ParseDict(value, message, descriptor_pool=method.pool)
        serialized: bytes = message.SerializeToString()
    except (json_format.ParseError, ValueError, TypeError, RecursionError) as error:
        reason = " ".join(outside_text(error, 1_000).split()).rstrip(".")
        raise TaskFailed(
            Sort.REFUSED,
            "RPC_BAD_INPUT",
            text("The input is no {type}: {reason}.", type=message.DESCRIPTOR.full_name, reason=reason),
        ) from error
    return serialized


def as_value(method: Method, raw: bytes, *, keeps_names: bool) -> json.JSON:
    """A reply as protobuf JSON. Fields without presence are there with their zero, so that conditions such as
    `result.code == 0` find them. Raises `TaskFailed` (maybe applied)."""
    try:
        value = json_format.MessageToDict(
            method.reply.FromString(raw),
            preserving_proto_field_name=keeps_names,
            always_print_fields_with_no_presence=True,
            descriptor_pool=method.pool,
        )
    except Exception as error:  # the library raises a dozen kinds, and what was asked is done
        raise TaskFailed(
            Sort.MAYBE_APPLIED,
            "BROKEN_RESPONSE",
            text("The reply cannot be read: {reason}.", reason=outside_text(error, 500)),
            type="BrokenResponse",
        ) from error
    return value
