"""Virtual time: processes, their threads and whatever else happens, one event after the other.

A thread of the engine is a greenlet that runs until it waits; a process that is frozen is not woken before it thaws,
one that is dead is never. Nothing here reads a clock or draws a number, so a seed plays the same way every time.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable
from typing import Any

from greenlet import GreenletExit, getcurrent, greenlet


class Process:
    """An operating system process: what dies and freezes as a whole. Its clocks are its own."""

    __slots__ = ("dead", "frozen_until", "machine", "name", "rate", "since", "skew")

    def __init__(self, machine: Machine, name: str, *, since: float, rate: float, skew: float) -> None:
        self.machine = machine
        self.name = name
        self.since = since  # what its monotonic clock said at the beginning
        self.rate = rate  # how fast that clock goes
        self.skew = skew  # how wrong this host's calendar is
        self.dead = False
        self.frozen_until = 0.0

    def monotonic(self) -> float:
        return self.since + self.machine.time * self.rate


class Waiter:
    """A thread that waits once."""

    __slots__ = ("done", "process", "thread")

    def __init__(self, process: Process) -> None:
        self.process = process
        self.thread = getcurrent()
        self.done = False


class Machine:
    def __init__(self, kill: Callable[[Process, str], None]) -> None:
        self.kill = kill  # a process ends itself
        self.time = 0.0
        self.current: Process | None = None
        self.over = False
        self._hub = getcurrent()
        self._threads: list[Any] = []
        self._events: list[tuple[float, int, Process | None, Callable[..., None], tuple[Any, ...]]] = []
        self._count = 0

    def at(self, delay: float, act: Callable[..., None], *args: Any, process: Process | None = None) -> None:
        """In so many true seconds. What belongs to a process happens only while that lives and is awake."""
        self._count += 1
        heapq.heappush(self._events, (self.time + delay, self._count, process, act, args))

    def step(self) -> bool:
        """The next event. False: there is none."""
        if not self._events:
            return False
        self.time, _, process, act, args = heapq.heappop(self._events)
        if process is not None:
            if process.dead:
                return True
            if process.frozen_until > self.time:
                self.at(process.frozen_until - self.time, act, *args, process=process)
                return True
        self.current = process
        act(*args)
        return True

    @property
    def process(self) -> Process:
        if self.over:
            raise GreenletExit
        if self.current is None:
            raise RuntimeError("no process runs")
        return self.current

    # Threads

    def begin(self, target: Callable[[], None], process: Process) -> None:
        thread = greenlet(target, self._hub)
        self._threads.append(thread)
        self.at(0, thread.switch, process=process)

    def wait(self, waiter: Waiter, timeout: float | None) -> bool:
        """Until it is woken, or so many seconds of its process have passed (False)."""
        if self.over:
            raise GreenletExit
        if timeout is not None:
            self.at(max(0.0, timeout) / waiter.process.rate, self.resume, waiter, False, process=waiter.process)
        return bool(self._hub.switch())

    def wake(self, waiter: Waiter) -> None:
        self.at(0, self.resume, waiter, True, process=waiter.process)

    def sleep(self, seconds: float) -> None:
        self.wait(Waiter(self.process), seconds)

    def resume(self, waiter: Waiter, woken: bool) -> None:
        if not waiter.done:
            waiter.done = True
            waiter.thread.switch(woken)

    def end(self) -> None:
        """Whatever still waits is let go of."""
        self.over = True
        for thread in self._threads:
            if not thread.dead:
                thread.throw(GreenletExit)
        self._threads.clear()
        self._events.clear()


class Threads:
    """The parts of `threading`, `queue` and `time` that the engine uses, on whatever machine is `machine`."""

    machine: Machine

    @classmethod
    def monotonic(cls) -> float:
        return cls.machine.process.monotonic()

    @classmethod
    def sleep(cls, seconds: float) -> None:
        cls.machine.sleep(seconds)

    class Thread:
        def __init__(self, target: Callable[[], None], name: str = "", daemon: bool = True) -> None:
            self._machine = Threads.machine
            self._target = target
            self._alive = False
            self._joiners: list[Waiter] = []
            self.name = name

        def start(self) -> None:
            self._alive = True
            self._machine.begin(self._run, self._machine.process)

        def _run(self) -> None:
            self._target()
            self._alive = False
            for waiter in self._joiners:
                self._machine.wake(waiter)

        def join(self, timeout: float | None = None) -> None:
            if self._alive:
                waiter = Waiter(self._machine.process)
                self._joiners.append(waiter)
                self._machine.wait(waiter, timeout)

        def is_alive(self) -> bool:
            return self._alive

    class Lock:
        """Threads give way only where they wait, and nobody waits with a lock."""

        def __enter__(self) -> None: ...

        def __exit__(self, *_: object) -> None: ...

    class Condition(Lock):
        def __init__(self) -> None:
            self._waiters: deque[Waiter] = deque()

        def wait(self, timeout: float | None = None) -> bool:
            waiter = Waiter(Threads.machine.process)
            self._waiters.append(waiter)
            return Threads.machine.wait(waiter, timeout)

        def notify(self) -> None:
            while self._waiters:
                waiter = self._waiters.popleft()
                if not waiter.done:
                    Threads.machine.wake(waiter)
                    return

    class Event:
        def __init__(self) -> None:
            self._set = False
            self._waiters: list[Waiter] = []

        def set(self) -> None:
            self._set = True
            for waiter in self._waiters:
                Threads.machine.wake(waiter)
            self._waiters.clear()

        def clear(self) -> None:
            self._set = False

        def is_set(self) -> bool:
            return self._set

        def wait(self, timeout: float | None = None) -> bool:
            if self._set:
                return True
            waiter = Waiter(Threads.machine.process)
            self._waiters.append(waiter)
            Threads.machine.wait(waiter, timeout)
            if waiter in self._waiters:
                self._waiters.remove(waiter)
            return self._set

    class SimpleQueue:
        def __init__(self) -> None:
            self._items: deque[Any] = deque()
            self._filled = Threads.Condition()

        def put(self, item: Any) -> None:
            self._items.append(item)
            self._filled.notify()

        def get(self) -> Any:
            while not self._items:
                self._filled.wait()
            return self._items.popleft()

        def empty(self) -> bool:
            return not self._items

        @classmethod
        def __class_getitem__(cls, _item: Any) -> type[Threads.SimpleQueue]:
            return cls
