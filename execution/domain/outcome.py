"""What came of one attempt: the words between an executor and the core."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from disttask_project.kernel.json import JSON


class Sort(StrEnum):
    """What a failure says about the target (architecture 4, end)."""

    NEVER_SENT = "never_sent"  # the target cannot have seen it: follow `retry`
    REFUSED_NOW = "refused_now"  # the target said not now (429, 503, UNAVAILABLE by the server): follow `retry`
    MAYBE_APPLIED = "maybe_applied"  # sent, and the answer is not known: `unknown`, then `retry`
    REFUSED = "refused"  # refused for good: not retried unless `retry_on` names it


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """A call that was answered. `value` is the task's raw result, JSON."""

    value: JSON


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A call that failed, or an input that could not be made. `retry_after` in seconds, from the target."""

    sort: Sort
    type: str
    code: str
    message: str
    stack: str = ""
    retry_after: float | None = None
    response: JSON = None  # what the target answered, if it did

    def as_error(self, *, final: bool) -> dict[str, Any]:
        """The `error` root of expressions."""
        return {"type": self.type, "code": self.code, "message": self.message, "final": final}


Outcome = Result | Failure


@dataclass(frozen=True, slots=True, kw_only=True)
class Undone:
    """The call that an undo undoes, by the task type, key and config it was sent with."""

    task_id: str
    type: str
    run: int
    key: str
    config: Mapping[str, Any]


class TaskFailed(Exception):
    """Raised by an executor: the attempt failed, sorted."""

    def __init__(
        self,
        sort: Sort,
        code: str,
        message: str,
        *,
        type: str = "TaskFailed",  # noqa: A002
        retry_after: float | None = None,
        response: JSON = None,
        stack: str = "",
    ) -> None:
        super().__init__(message)
        self.failure = Failure(
            sort=sort,
            type=type,
            code=code,
            message=message,
            retry_after=retry_after,
            response=response,
            stack=stack,
        )
