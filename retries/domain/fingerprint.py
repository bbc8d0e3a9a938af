"""Which failures are the same one: flow, task, error code and the message without what differs each time."""

from __future__ import annotations

import re
from typing import Final

from disttask_project.kernel.ids import derived_id

# Hex runs and UUIDs, then every token that holds a digit: order numbers, amounts, times, addresses.
_VARIABLE: Final = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}|[\w.:@+=-]*\d[\w.:@+=-]*")
_LENGTH: Final = 500


def normalised(message: str) -> str:
    """The message with its variable parts as `#`."""
    return _VARIABLE.sub("#", message[:_LENGTH])


def fingerprint(*, flow_id: str, task_id: str, error_code: str, message: str) -> str:
    """32 hex digits, the same for failures with the same cause."""
    return derived_id(flow_id, task_id, error_code, normalised(message))
