"""Try a task once, outside any instance: does the target answer as the catalog says? The call is a real one."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from disttask_project.audit.services import record
from disttask_project.kernel.actor import Actor
from disttask_project.kernel.errors import InvalidInput, Problem
from disttask_project.kernel.ids import new_id
from disttask_project.kernel.json import JSON
from disttask_project.kernel.messages import text
from execution.domain.outcome import Failure, Outcome, Result, Sort
from execution.engine.calls import Caller
from execution.engine.loading import engine_settings
from execution.executors.base import Call, Executor, executor_types
from flows.domain.compiled import CompiledTask, ExpressionError
from flows.domain.definition import compile_flow, pin_definition
from flows.domain.parameters import InputError, bind_input
from flows.selectors import load_catalog

PERMISSION: Final = "execution.try_task"
MAX_SECONDS: Final = 30.0  # a web worker waits for it
TASK: Final = "try"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """What was sent and what came of it; `config` holds references to secrets, never their values."""

    key: str
    task_name: str
    type: str
    config: Mapping[str, Any]
    input: Mapping[str, Any]
    status: Literal["success", "failed", "unknown"]
    result: JSON
    error_type: str
    error_code: str
    error_message: str
    duration_ms: float


class _Heard:
    """Hears of the one call."""

    def __init__(self) -> None:
        self.outcome: asyncio.Future[tuple[Outcome, float]] = asyncio.get_running_loop().create_future()

    def ended(self, outcome: Outcome, duration_ms: float) -> None:
        self.outcome.set_result((outcome, duration_ms))

    def came_late(self, outcome: Outcome) -> None:
        """Nobody waits any more."""

    def freed(self) -> None:
        """There are no slots here."""


def try_task(
    *,
    task_name: str,
    actor: Actor,
    config: Mapping[str, Any] | None = None,
    input: Mapping[str, Any] | None = None,  # noqa: A002  the language's own word
    timeout_seconds: float = MAX_SECONDS,
    reason: str = "",
) -> Tried:
    """Call the target of a catalog entry, or of a bare type, once, with `config` laid over the entry's.

    Checked as a definition is; raises `Forbidden`, `InvalidInput` with every problem. What the target does is not
    undone: the operations log has the attempt before it leaves, and its outcome.
    """
    actor.require(PERMISSION)
    if not 0 < timeout_seconds <= MAX_SECONDS:
        message = text("Must be above 0 and at most {most} seconds.", most=int(MAX_SECONDS))
        problem = Problem(loc=("timeout_seconds",), code="bad_value", message=message)
        raise InvalidInput(text("The task cannot be tried like this."), problems=[problem])
    spec = _compiled(task_name, config or {}, input or {})
    call = _call(spec, timeout_seconds)
    sent = {"type": spec.type, "key": call.key, "config": call.config, "input": call.input}
    # Committed before the call leaves: no effect without its record.
    record(actor=actor, act="try_task", object_type="task_type", object_id=task_name, reason=reason, after=sent)
    outcome, duration_ms = asyncio.run(_made(executor_types()[spec.type], spec.type, call))
    tried = _tried(spec, call, outcome, duration_ms)
    record(
        actor=actor,
        act="tried_task",
        object_type="task_type",
        object_id=task_name,
        after={"key": tried.key, "status": tried.status, "error_code": tried.error_code},
    )
    return tried


def _compiled(task_name: str, config: Mapping[str, Any], given: Mapping[str, Any]) -> CompiledTask:
    document = {
        "name": TASK,
        "tasks": [{"id": TASK, "task_name": task_name, "config": dict(config), "input": dict(given)}],
    }
    try:
        pinned = pin_definition(document, load_catalog())
    except InvalidInput as error:
        problems = [
            Problem(loc=problem.loc[2:] or problem.loc, code=problem.code, message=problem.message)
            for problem in error.problems
        ]
        raise InvalidInput(text("The task cannot be tried like this."), problems=problems) from error
    return compile_flow(pinned).tasks[TASK]


def _call(spec: CompiledTask, timeout_seconds: float) -> Call:
    """The call with its input bound as the engine binds it. Raises `InvalidInput`."""
    scope: dict[str, Any] = {
        "params": {},
        "tasks": {},
        "instance": {"id": f"{TASK}-{new_id()}", "flow": TASK, "version": 0, "tags": {}},
        "task": {"id": TASK, "attempt": 1},
    }
    try:
        bound = bind_input(spec, params={}, scope=scope)
        config = spec.config.render({**scope, "input": bound})
    except InputError as error:
        problems = [Problem(loc=("input", *each.loc), code=each.code, message=each.message) for each in error.problems]
        raise InvalidInput(text("The task cannot be tried like this."), problems=problems) from error
    except ExpressionError as error:
        problem = Problem(loc=("config",), code="expression", message=text("{reason}", reason=str(error)))
        raise InvalidInput(text("The task cannot be tried like this."), problems=[problem]) from error
    instance_id = str(scope["instance"]["id"])
    return Call(
        instance_id=instance_id,
        task_id=TASK,
        attempt=1,
        run=1,
        key=f"{instance_id}:{TASK}",
        config=config if isinstance(config, Mapping) else {},
        input=bound,
        deadline=time.monotonic() + timeout_seconds,
        request_id=instance_id,
    )


async def _made(type_: type[Executor], name: str, call: Call) -> tuple[Outcome, float]:
    caller = Caller({name: type_()}, engine_settings())
    heard = _Heard()
    caller.start(name, call, heard)
    try:
        return await heard.outcome
    finally:
        await caller.close()


def _tried(spec: CompiledTask, call: Call, outcome: Outcome, duration_ms: float) -> Tried:
    failure = outcome if isinstance(outcome, Failure) else None
    status: Literal["success", "failed", "unknown"] = "success"
    if failure is not None:
        status = "unknown" if failure.sort is Sort.MAYBE_APPLIED else "failed"
    return Tried(
        key=call.key,
        task_name=spec.task_name,
        type=spec.type,
        config=call.config,
        input=call.input,
        status=status,
        result=outcome.value if isinstance(outcome, Result) else outcome.response,
        error_type=failure.type if failure else "",
        error_code=failure.code if failure else "",
        error_message=str(failure.message) if failure else "",
        duration_ms=duration_ms,
    )
