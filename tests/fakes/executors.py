"""Task types whose calls do what the test says; not registered."""

from __future__ import annotations

import asyncio
import threading
from typing import Any, ClassVar

from pydantic import BaseModel

from execution.domain.outcome import Result
from execution.executors.base import Call, Executor


class Anything(BaseModel):
    model_config = {"extra": "allow"}


class Scripted(Executor):
    """A coroutine: waits for the gate, then gives the next answer or raises it."""

    name = "scripted"
    config_model = Anything
    is_async = True
    max_in_flight = 3

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.gate = threading.Event()
        self.gate.set()
        self.answers: list[Any] = []
        self.most = 0
        self._now = 0

    async def execute(self, call: Call) -> Result:
        self.calls.append(call)
        self._now += 1
        self.most = max(self.most, self._now)
        try:
            while not self.gate.is_set():
                await asyncio.sleep(0.01)
        finally:
            self._now -= 1
        answer = self.answers.pop(0) if self.answers else {"ok": True}
        if isinstance(answer, BaseException):
            raise answer
        return answer if isinstance(answer, Result) else Result(value=answer)


class Blocking(Executor):
    """A plain function on its pool."""

    name = "blocking"
    config_model = Anything
    max_threads: ClassVar[int] = 2

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.gate.set()
        self.begun = 0

    def execute(self, call: Call) -> Result:
        self.begun += 1
        self.gate.wait(20)
        return Result(value={"thread": threading.current_thread().name, "task": call.task_id})
