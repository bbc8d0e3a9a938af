"""Make the calls: coroutines on the loop, plain functions on bounded pools, each with its own timeout."""

from __future__ import annotations

import asyncio
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Protocol

import structlog
from structlog.contextvars import bind_contextvars, bound_contextvars

from disttask_project.kernel.crashpoints import crash_point
from disttask_project.kernel.json import clean_text
from disttask_project.kernel.messages import Message, text
from execution.domain.outcome import Failure, Outcome, Result, Sort, TaskFailed
from execution.engine.pools import DaemonPool
from execution.engine.settings import EngineSettings
from execution.executors.base import Call, Executor

log = structlog.get_logger(__name__)

STACK_LENGTH = 8_000


class Listener(Protocol):
    """Who is told about one call; all on the loop's thread."""

    def ended(self, outcome: Outcome, duration_ms: float) -> None:
        """The answer, or that the timeout passed. Once."""

    def came_late(self, outcome: Outcome) -> None:
        """An answer after the call was given up."""

    def freed(self) -> None:
        """The call holds nothing any more: its slot is free. Once, at the very end."""


class RunningCall:
    """A call that has left. Its answer counts until its timeout; a thread goes on until it ends by itself."""

    __slots__ = ("_given_up", "_listener", "_started", "_task", "_timer")

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._started = time.monotonic()
        self._given_up = False
        self._task: asyncio.Task[Outcome] | None = None
        self._timer: asyncio.TimerHandle | None = None

    def watch(self, timer: asyncio.TimerHandle, task: asyncio.Task[Outcome] | None) -> None:
        self._timer = timer
        self._task = task

    def expire(self) -> None:
        if self._given_up:
            return
        self._given_up = True
        if self._task is not None:
            self._task.cancel()
        self._listener.ended(_timed_out(), self._elapsed())

    def finish(self, outcome: Outcome | None) -> None:
        """The call has returned; None: it was cancelled."""
        if self._timer is not None:
            self._timer.cancel()
        self._listener.freed()
        if not self._given_up:
            self._given_up = True
            self._listener.ended(_stopped() if outcome is None else outcome, self._elapsed())
        elif outcome is not None:
            self._listener.came_late(outcome)

    def _elapsed(self) -> float:
        return round((time.monotonic() - self._started) * 1000, 3)


class Caller:
    """All executors of a driver. Made on the loop, so that nothing exists before a fork."""

    def __init__(self, executors: Mapping[str, Executor], settings: EngineSettings) -> None:
        self._executors = dict(executors)
        self._settings = settings
        self._loop = asyncio.get_running_loop()
        self._pools = {
            name: DaemonPool(f"{name}-call", executor.max_threads)
            for name, executor in executors.items()
            if not executor.is_async
        }
        self._tasks: set[asyncio.Task[Outcome]] = set()
        self._closing = False

    def start(self, type_: str, call: Call, listener: Listener) -> None:
        running = RunningCall(listener)
        executor = self._executors.get(type_)
        if executor is None:
            self._loop.call_soon(running.finish, _no_executor(type_))
            return
        left = call.deadline - time.monotonic() + self._settings.timeout_grace
        timer = self._loop.call_later(left, running.expire)
        if executor.is_async:
            task = self._loop.create_task(_call_async(executor, call))
            self._tasks.add(task)
            running.watch(timer, task)
            task.add_done_callback(lambda done: self._done(running, done))
        else:
            running.watch(timer, None)
            self._pools[type_].submit(lambda: self._call_in_thread(executor, call, running.finish))

    def _done(self, running: RunningCall, task: asyncio.Task[Outcome]) -> None:
        self._tasks.discard(task)
        if not self._closing:
            running.finish(None if task.cancelled() else task.result())

    def _call_in_thread(self, executor: Executor, call: Call, finish: Callable[[Outcome | None], None]) -> None:
        outcome = _call_plain(executor, call)
        try:
            self._loop.call_soon_threadsafe(finish, outcome)
        except RuntimeError:
            # The loop is closed: the driver has gone, and the attempt is `unknown` to whoever claims next.
            log.warning("answer_after_end", instance_id=call.instance_id, task_id=call.task_id, attempt=call.attempt)

    async def close(self) -> None:
        """Calls that are still under way are cancelled, untold: their attempts are given up already."""
        self._closing = True
        for task in list(self._tasks):
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=2)
        for pool in self._pools.values():
            pool.stop()
        for name, executor in self._executors.items():
            try:
                await asyncio.wait_for(executor.close(), 5)
            except Exception:
                log.exception("executor_not_closed", type=name)


async def _call_async(executor: Executor, call: Call) -> Outcome:
    # The task has a context of its own.
    bind_contextvars(instance_id=call.instance_id, task_id=call.task_id, attempt=call.attempt)
    try:
        crash_point(f"call.send:{executor.name}")
        answer = await executor.execute(call)
        crash_point(f"call.receive:{executor.name}")
        return _checked(answer)
    except TaskFailed as failed:
        return _cleaned(failed.failure)
    except Exception as error:
        return _unexpected(error, call)


def _call_plain(executor: Executor, call: Call) -> Outcome:
    try:
        with bound_contextvars(instance_id=call.instance_id, task_id=call.task_id, attempt=call.attempt):
            crash_point(f"call.send:{executor.name}")
            answer = executor.execute(call)
            crash_point(f"call.receive:{executor.name}")
            return _checked(answer)
    except TaskFailed as failed:
        return _cleaned(failed.failure)
    except BaseException as error:  # a thread of a pool must live on, whatever a driver library raises
        return _unexpected(error, call)


def _checked(answer: Any) -> Outcome:
    if isinstance(answer, Result):
        return answer
    raise TypeError(f"the executor returned {type(answer).__name__}, not a Result")


def _cleaned(failure: Failure) -> Failure:
    """The words of a target, or of a library, may hold what no store takes."""
    return replace(
        failure,
        type=clean_text(failure.type)[:64],
        code=clean_text(failure.code)[:128],
        message=failure.message if isinstance(failure.message, Message) else clean_text(failure.message),
        stack=clean_text(failure.stack),
    )


def _unexpected(error: BaseException, call: Call) -> Failure:
    """A fault of the executor itself. Whether the target saw the call cannot be known."""
    log.error(
        "executor_failed",
        instance_id=call.instance_id,
        task_id=call.task_id,
        attempt=call.attempt,
        error=type(error).__name__,
    )
    stack = "".join(traceback.format_exception(error))[-STACK_LENGTH:]
    return Failure(
        sort=Sort.MAYBE_APPLIED,
        type=type(error).__name__,
        code="EXECUTOR_ERROR",
        message=text("The executor failed in a way it does not know: {error}", error=clean_text(str(error))),
        stack=clean_text(stack),
    )


def _no_executor(type_: str) -> Failure:
    return Failure(
        sort=Sort.REFUSED,
        type="ExecutorError",
        code="NO_EXECUTOR",
        message=text("This engine knows no task type {type}; the package that brings it is not installed.", type=type_),
    )


def _timed_out() -> Failure:
    return Failure(
        sort=Sort.MAYBE_APPLIED,
        type="Timeout",
        code="TIMEOUT",
        message=text("No answer within the task's timeout."),
    )


def _stopped() -> Failure:
    return Failure(
        sort=Sort.MAYBE_APPLIED,
        type="Cancelled",
        code="CALL_CANCELLED",
        message=text("The call was cancelled before it was answered."),
    )
