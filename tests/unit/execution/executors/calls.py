"""Calls as the driver makes them."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from execution.executors.base import Call, Undone


def call(
    config: Mapping[str, Any] | None = None,
    given: Mapping[str, Any] | None = None,
    *,
    key: str = "order-1:task",
    timeout: float = 5.0,
    attempt: int = 1,
    run: int = 1,
    task_id: str = "task",
    undoes: Undone | None = None,
) -> Call:
    return Call(
        instance_id="order-1",
        task_id=task_id,
        attempt=attempt,
        run=run,
        key=key,
        config=config or {},
        input={} if given is None else given,
        deadline=time.monotonic() + timeout,
        request_id="request-7",
        undoes=undoes,
    )
