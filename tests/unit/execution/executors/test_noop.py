from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from execution.domain.outcome import TaskFailed
from execution.executors.noop import NoopExecutor
from tests.unit.execution.executors.calls import call


def run(config: dict[str, Any], **how: Any) -> Any:
    return asyncio.run(NoopExecutor().execute(call(config, {"a": [1]}, **how))).value


def test_it_gives_back_its_input() -> None:
    assert run({}) == {"a": [1]}


def test_it_takes_the_time_it_is_told() -> None:
    started = time.monotonic()
    run({"sleep_ms": 50})
    assert 0.05 <= time.monotonic() - started < 1


def test_it_takes_no_longer_than_its_timeout() -> None:
    with pytest.raises(TaskFailed) as caught:
        run({"sleep_ms": 5_000}, timeout=0.05)
    assert caught.value.failure.code == "TIMEOUT"
