"""An asyncio loop whose turns are events of the machine: its timers are virtual, and it never waits for a socket."""

from __future__ import annotations

import asyncio
from asyncio import base_events, events
from collections.abc import Callable
from typing import Any

from tests.simulation.machine import Machine, Process, Threads

AT_ONCE = 20  # turns that follow each other before anybody else has his


class _NoSelector:
    def select(self, _timeout: float | None) -> list[Any]:
        return []


class VirtualLoop(base_events.BaseEventLoop):
    _ready: Any
    _scheduled: Any
    _run_once: Callable[[], None]

    def __init__(self, machine: Machine, process: Process) -> None:
        super().__init__()
        self._selector = _NoSelector()
        self._machine = machine
        self._process = process
        self._next_turn: float | None = None

    def time(self) -> float:
        return self._process.monotonic()

    def _process_events(self, _events: list[Any]) -> None: ...

    def _write_to_self(self) -> None:
        """Another thread has handed something over."""
        self._turn_in(0.0)

    def begin(self, main: Callable[[], Any]) -> None:
        """Run a coroutine function; its end is the end of the process."""
        task = self.create_task(main())
        task.add_done_callback(self._ended)
        self._turn_in(0.0)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._process.dead = True
        if (error := task.exception()) is not None:
            raise error

    def _turn_in(self, delay: float) -> None:
        at = self._machine.time + delay
        if self._next_turn is None or at < self._next_turn:
            self._next_turn = at
            self._machine.at(delay, self._turn, at, process=self._process)

    def _turn(self, at: float) -> None:
        if at != self._next_turn:
            return  # an earlier one has taken its place
        self._next_turn = None
        events._set_running_loop(self)
        try:
            self._run_once()
            for _ in range(AT_ONCE):
                if not self._ready or self._process.dead:
                    break
                self._run_once()
        finally:
            events._set_running_loop(None)
        if self._ready:
            self._turn_in(0.0)
        elif self._scheduled:
            self._turn_in(max(0.0, self._scheduled[0]._when - self.time()) / self._process.rate)

    def run_in_executor(self, executor: Any, func: Callable[..., Any], *args: Any) -> Any:  # type: ignore[override]
        """`asyncio.to_thread` comes here."""
        future = self.create_future()

        def work() -> None:
            result = func(*args)
            self.call_soon_threadsafe(future.set_result, result)

        Threads.Thread(target=work, name="to-thread").start()
        return future

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        error = context.get("exception")
        raise error if error is not None else RuntimeError(context["message"])

    def forget(self) -> None:
        """The process has died, and nobody is to hear of what it left undone."""
        for task in asyncio.all_tasks(self):
            task._log_destroy_pending = False  # type: ignore[attr-defined]
            task.get_coro().close()
        self._ready.clear()
        self._scheduled.clear()
        self._closed = True
