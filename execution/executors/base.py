"""The port of task types: a class under its type name, and the registry that all lists derive from.

A type is one file: config schema, `execute`, sorting of failures. Third parties ship the same class under the
entry point group `disttask.executors`.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from pydantic import BaseModel

from disttask_project.kernel.errors import Problem
from disttask_project.kernel.json import JSON, clean_text
from execution.domain.outcome import Result, Undone

TARGET_LENGTH: Final = 160


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One attempt to make. `config` is resolved but for `${secret:NAME}`, which `secrets.reveal` puts in at
    send.

    `deadline` is on `time.monotonic()`; `key` the idempotency key; `request_id` goes to the target's log.
    `undoes` is set where the call undoes another: a type that keeps a barrier at its target finds it by that.
    """

    instance_id: str
    task_id: str
    attempt: int
    run: int
    key: str
    config: Mapping[str, Any]
    input: Mapping[str, Any]
    deadline: float
    request_id: str = ""
    undoes: Undone | None = None


class Executor(ABC):
    """A task type. One object a process, made lazily after a fork; `close` at the session's end.

    `is_async`: `execute` is a coroutine function running on the driver's loop (http, rpc). Otherwise it is a
    plain function run on this type's own bounded thread pool of `max_threads` (db, mq).
    """

    name: ClassVar[str]
    config_model: ClassVar[type[BaseModel]]
    is_async: ClassVar[bool] = False
    max_threads: ClassVar[int] = 16
    max_in_flight: ClassVar[int] = 200  # slots a driver has for this type
    idempotent: ClassVar[bool] = True  # the key (or a barrier) reaches the target
    description: ClassVar[str] = ""

    @classmethod
    def config_problems(cls, config: Mapping[str, Any]) -> Sequence[Problem]:
        """Every fault of a task's config at save, each with its path. `${...}` may stand for any scalar."""
        from execution.executors.schema import config_problems  # noqa: PLC0415

        return config_problems(cls.config_model, config)

    @classmethod
    def target(cls, config: Mapping[str, Any]) -> str:
        """Where a call with this resolved config goes: what limits and a circuit breaker are kept by.

        Short and the same for all calls to one place (`bank.example:443`); empty: the type has no targets.
        """
        return ""

    @abstractmethod
    def execute(self, call: Call) -> Any:
        """Make the call and return its `Result` (or a coroutine of it); raise `TaskFailed`, sorted.

        Must end by `call.deadline`, and must not retry by itself.
        """

    async def close(self) -> None:  # noqa: B027  most types hold nothing
        """Release connections; called on the driver's loop."""


def target_of(executor: Executor | type[Executor], config: Mapping[str, Any]) -> str:
    """The id of a config's target: `http:bank.example:443`. Empty where there is none, or it is not known yet."""
    try:
        address = executor.target(config)
    except Exception:
        # A config that cannot be read fails at its call, with the reason.
        return ""
    if not address or "${" in address:
        return ""
    found = f"{executor.name}:{address}"
    if len(found) > TARGET_LENGTH:
        found = f"{found[: TARGET_LENGTH - 17]}~{hashlib.sha256(found.encode()).hexdigest()[:16]}"
    return found if found.isprintable() else clean_text(found)


_TYPES: dict[str, type[Executor]] = {}


def register(executor: type[Executor]) -> type[Executor]:
    """Class decorator. A name taken twice is a programming error, reported by `manage.py check` too."""
    taken = _TYPES.setdefault(executor.name, executor)
    if taken is not executor:
        raise ValueError(f"task type {executor.name!r} is registered twice: {taken!r} and {executor!r}")
    return executor


def executor_types() -> Mapping[str, type[Executor]]:
    return dict(sorted(_TYPES.items()))


__all__ = ["JSON", "Call", "Executor", "Result", "Undone", "executor_types", "register", "target_of"]
