"""Many callers in several processes that all ask at the same moment; their answers are gathered from files."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from django.db import connections

from disttask_project.kernel.errors import DisttaskError, Unavailable
from tests.chaos.arena import Arena
from tests.chaos.roles import Play, note

Ask = Callable[[int], dict[str, Any]]
PATIENCE = 40  # a store that is busy says 503: the caller asks again, so often


def at_once(ring: Arena, ask: Ask, *, processes: int, threads: int, calls: int = 1) -> list[dict[str, Any]]:
    """`ask(number)` by every thread, `calls` times; each answer, or the symbol of its refusal, and its process."""
    moment = time.time() + 1.5
    files = [ring.play.home / f"answers-{time.monotonic_ns()}-{number}" for number in range(processes)]
    for process, file in enumerate(files):

        def work(_play: Play, process: int = process, file: Any = file) -> None:
            with ThreadPoolExecutor(threads) as pool:
                first = process * threads
                told = list(pool.map(lambda number: _one(ask, first + number, calls, moment), range(threads)))
            note(file, "".join(json.dumps(each) + "\n" for answers in told for each in answers))

        ring.fork("crowd", work)
    if not ring.wait(lambda: _is_back(ring), within=300):
        raise RuntimeError("the crowd has not come back")
    return [json.loads(line) for file in files for line in file.read_text().splitlines()]


def _is_back(ring: Arena) -> bool:
    ring.reap()
    return not ring.of_role("crowd")


def _one(ask: Ask, number: int, calls: int, moment: float) -> list[dict[str, Any]]:
    time.sleep(max(0.0, moment - time.time()))
    try:
        return [_asked(ask, number) for _ in range(calls)]
    finally:
        connections.close_all()


def _asked(ask: Ask, number: int) -> dict[str, Any]:
    for _ in range(PATIENCE):
        try:
            return ask(number)
        except Unavailable:
            time.sleep(0.1)
        except DisttaskError as error:
            return {"refused": error.symbol}
    return {"refused": "UNAVAILABLE"}
