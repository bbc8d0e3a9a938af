"""Between JSON and the messages of a described method."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import Any, Final

from google.protobuf import json_format, message_factory
from google.protobuf.descriptor import Descriptor, MethodDescriptor, ServiceDescriptor
from google.protobuf.descriptor_pool import DescriptorPool

from disttask_project.kernel import json
from disttask_project.kernel.messages import text
from execution.domain.outcome import Sort, TaskFailed
from execution.executors.sealing import outside_text

MAX_VALUES: Final = 200_000  # of a reply as JSON: two bytes on the wire may stand for a message of a thousand fields
_MAX_TYPES: Final = 5_000


@dataclass(frozen=True, slots=True)
class Method:
    """A unary method, ready to be called. `width`: the most fields a message of its reply can have."""

    path: str
    request: Any  # message classes
    reply: Any
    pool: DescriptorPool
    width: int


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
        width=_widest(found.output_type),
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
        message = method.reply.FromString(raw)
        if len(raw) * method.width > MAX_VALUES:
            _check_size(message)
        value = json_format.MessageToDict(
            message,
            preserving_proto_field_name=keeps_names,
            always_print_fields_with_no_presence=True,
            descriptor_pool=method.pool,
        )
        if json.fault_in(value) is not None:
            value = _storable(value)
    except Exception as error:  # the library raises a dozen kinds, and what was asked is done
        raise TaskFailed(
            Sort.MAYBE_APPLIED,
            "BROKEN_RESPONSE",
            text("The reply cannot be read: {reason}.", reason=outside_text(error, 500).rstrip(".")),
            type="BrokenResponse",
        ) from error
    return value


def _storable(value: json.JSON) -> json.JSON:
    """What a message may hold and our JSON may not. Raises `ValueError` for what remains: too deep a nesting."""
    value = _cleaned(value)
    if fault := json.fault_in(value):
        raise ValueError(str(fault))
    return value


def _cleaned(value: Any) -> Any:
    """Text without NUL, and numbers beyond 64 bits (a Struct may hold 1e300) as what they are: floats."""
    if isinstance(value, str):
        return json.clean_text(value)
    if isinstance(value, int) and abs(value) >= 1 << 63:
        return float(value)
    if isinstance(value, list):
        return [_cleaned(item) for item in value]
    if isinstance(value, dict):
        return {json.clean_text(key): _cleaned(item) for key, item in value.items()}
    return value


def _widest(top: Descriptor) -> int:
    """Over all the types that a message may hold."""
    seen = {top.full_name}
    todo = [top]
    widest = 1
    while todo and len(seen) < _MAX_TYPES:
        one = todo.pop()
        widest = max(widest, len(one.fields))
        for field in one.fields:
            inner = field.message_type
            if inner is not None and inner.full_name not in seen:
                seen.add(inner.full_name)
                todo.append(inner)
    return widest if not todo else MAX_VALUES


def _check_size(top: Any) -> None:
    """Raise `ValueError` for a message that makes too many values as JSON."""
    count = 0
    todo = [top]
    while todo and count <= MAX_VALUES:
        message = todo.pop()
        count += len(message.DESCRIPTOR.fields)  # those without presence are there with their zero
        for _, value in message.ListFields():
            if hasattr(value, "ListFields"):
                todo.append(value)
            elif hasattr(value, "__len__") and not isinstance(value, str | bytes):
                count += len(value)
                items = value.values() if hasattr(value, "values") else value
                todo += [item for item in items if hasattr(item, "ListFields")]
    if count > MAX_VALUES:
        raise ValueError(f"it holds more than {MAX_VALUES} values")
