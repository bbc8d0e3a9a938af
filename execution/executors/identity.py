"""What a call says about itself to its target, whatever the protocol."""

from __future__ import annotations

from hashlib import blake2b
from urllib.parse import quote

from execution.executors.base import Call


def traceparent(call: Call) -> str:
    """W3C trace context: one trace an instance, one span an attempt; the same for the same attempt."""
    trace = blake2b(call.instance_id.encode(), digest_size=16).hexdigest()
    span = blake2b(f"{call.instance_id}\x1f{call.task_id}\x1f{call.attempt}".encode(), digest_size=8).hexdigest()
    return f"00-{trace}-{span}-01"


def wire_text(value: str) -> str:
    """A key or id fit for a header: printable ASCII as it is, anything else percent-encoded."""
    return value if value.isascii() and value.isprintable() else quote(value, safe=" ")
