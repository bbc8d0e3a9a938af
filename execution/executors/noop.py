"""Task type noop: gives back its input, after a while if asked. For tests, benchmarks and demonstrations."""

from __future__ import annotations

import asyncio
import time

from pydantic import BaseModel, ConfigDict, Field

from disttask_project.kernel.messages import text
from execution.domain.outcome import Result, Sort, TaskFailed
from execution.executors.base import Call, Executor, register
from execution.executors.schema import parse


class NoopConfig(BaseModel):
    model_config = ConfigDict(extra="forbid")

    sleep_ms: float = Field(default=0, ge=0, le=10_000, description="How long to take, in milliseconds.")


@register
class NoopExecutor(Executor):
    """Touches nothing outside, so a repeat does no harm."""

    name = "noop"
    config_model = NoopConfig
    is_async = True
    max_in_flight = 1_000
    description = "Does nothing and gives back its input."

    async def execute(self, call: Call) -> Result:
        if call.config:
            await _sleep(parse(NoopConfig, call.config).sleep_ms / 1000, call.deadline)
        return Result(value=dict(call.input))


async def _sleep(seconds: float, deadline: float) -> None:
    left = deadline - time.monotonic()
    if seconds > left:
        await asyncio.sleep(max(0.0, left))
        raise TaskFailed(
            Sort.MAYBE_APPLIED, "TIMEOUT", text("The task was told to take longer than its timeout."), type="Timeout"
        )
    if seconds:
        await asyncio.sleep(seconds)
