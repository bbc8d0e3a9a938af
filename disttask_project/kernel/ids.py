"""Identifiers: time-ordered UUIDs for rows of ours, and derived ones for rows that must be found again."""

from __future__ import annotations

import hashlib
import os
import re
import time
import uuid

INSTANCE_ID = re.compile(r"[A-Za-z0-9._@+=-]{1,64}")


def new_id() -> str:
    """A UUIDv7 (RFC 9562): 48 bits of Unix milliseconds, then randomness; sorts by time of making."""
    millis = time.time_ns() // 1_000_000
    value = (millis & 0xFFFF_FFFF_FFFF) << 80 | int.from_bytes(os.urandom(10), "big")
    value = value & ~(0xF << 76) | (0x7 << 76)
    value = value & ~(0x3 << 62) | (0x2 << 62)
    return str(uuid.UUID(int=value))


def derived_id(*parts: str) -> str:
    """The same 32 hex digits for the same parts: an upsert can name its row without reading it first."""
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:32]


def follower_id(instance_id: str) -> str:
    """The id of the instance that is started after this one has failed: always the same, so it is started once."""
    plain = f"{instance_id}.failure"
    return plain if len(plain) <= 64 else f"{derived_id(instance_id)}.failure"
