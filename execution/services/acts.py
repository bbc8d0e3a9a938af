"""Operator acts: one path for console, REST, gRPC and commands (architecture 4.6).

Permission and reason are checked here, the state by the core. Nobody holds the instance: the act is done in this
transaction, answered `done`. A driver holds it: the act is asked, and its verdict awaited for a moment.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from disttask_project.kernel.actor import Actor
from disttask_project.kernel.errors import InvalidInput, Problem
from disttask_project.kernel.ids import new_id
from disttask_project.kernel.json import fault_in
from disttask_project.kernel.messages import text
from execution.services.performing import ActAnswer, Performance
from execution.stores.base import NewAction


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What an act needs."""

    permission: str
    needs_reason: bool
    needs_task: bool = False


RULES: Final[Mapping[str, Rule]] = {
    "retry": Rule(permission="execution.retry_instance", needs_reason=False),
    "rerun": Rule(permission="execution.retry_instance", needs_reason=True, needs_task=True),
    "compensate": Rule(permission="execution.compensate_instance", needs_reason=True),
    "skip": Rule(permission="execution.skip_task", needs_reason=True, needs_task=True),
    "mark_success": Rule(permission="execution.mark_task_success", needs_reason=True, needs_task=True),
    "cancel": Rule(permission="execution.cancel_instance", needs_reason=True),
    "pause": Rule(permission="execution.cancel_instance", needs_reason=False),
    "resume": Rule(permission="execution.cancel_instance", needs_reason=False),
    "close": Rule(permission="execution.cancel_instance", needs_reason=True),
}
EDIT_PERMISSION: Final = "execution.edit_input"


def retry(
    *,
    instance_id: str,
    actor: Actor,
    task_id: str = "",
    reason: str = "",
    input: Mapping[str, Any] | None = None,  # noqa: A002  the field's own name
    config: Mapping[str, Any] | None = None,
    outcome: str | None = None,
) -> ActAnswer:
    """Try a failed task again now (all failed ones without `task_id`), perhaps with changed input or config.

    `outcome="not_applied"` says that a person found out what an unknown attempt did.
    """
    payload = {"input": input, "config": config, "outcome": outcome}
    changed = {key: value for key, value in payload.items() if value}
    if input or config:
        actor.require(EDIT_PERMISSION)
        if not task_id:
            message = text("Name the task whose input or config is to change.")
            raise InvalidInput(message, problems=[Problem(loc=("task_id",), code="required", message=message)])
    return perform(act="retry", instance_id=instance_id, task_id=task_id, reason=reason, payload=changed, actor=actor)


def rerun(
    *,
    instance_id: str,
    task_id: str,
    reason: str,
    actor: Actor,
    input: Mapping[str, Any] | None = None,  # noqa: A002  the field's own name
    config: Mapping[str, Any] | None = None,
) -> ActAnswer:
    """Run a task and everything after it once more, as new runs with new keys; marks and skips stay."""
    changed = {key: value for key, value in {"input": input, "config": config}.items() if value}
    if changed:
        actor.require(EDIT_PERMISSION)
    return perform(act="rerun", instance_id=instance_id, task_id=task_id, reason=reason, payload=changed, actor=actor)


def compensate(
    *,
    instance_id: str,
    reason: str,
    actor: Actor,
    tasks: Sequence[str] | None = None,
    outside: Sequence[str] = (),
    inputs: Mapping[str, Any] | None = None,
) -> ActAnswer:
    """Undo what was done: all of it, or `tasks`. `outside` is undone already; `inputs` changes what an undo is sent."""
    payload: dict[str, Any] = {"outside": list(outside), "inputs": dict(inputs or {})}
    if tasks is not None:
        payload["tasks"] = list(tasks)
    problems = [
        Problem(loc=(key,), code="wrong_type", message=text("Must be a list of task ids."))
        for key in ("tasks", "outside")
        if not all(isinstance(name, str) for name in payload.get(key, ()))
    ]
    problems += [
        Problem(loc=("inputs", name), code="wrong_type", message=text("Must be an object."))
        for name, value in payload["inputs"].items()
        if not isinstance(value, Mapping)
    ]
    if problems:
        raise InvalidInput(problems[0].message, problems=problems)
    if payload["inputs"]:
        actor.require(EDIT_PERMISSION)
    return perform(
        act="compensate",
        instance_id=instance_id,
        reason=reason,
        payload={key: value for key, value in payload.items() if value or key == "tasks"},
        actor=actor,
    )


def skip(*, instance_id: str, task_id: str, reason: str, actor: Actor) -> ActAnswer:
    """Leave a task out; what depends on it goes on."""
    return perform(act="skip", instance_id=instance_id, task_id=task_id, reason=reason, actor=actor)


def mark_success(*, instance_id: str, task_id: str, reason: str, actor: Actor, output: Any = None) -> ActAnswer:
    """Say that a task took effect, with the output that others read."""
    payload = {} if output is None else {"output": output}
    return perform(
        act="mark_success",
        instance_id=instance_id,
        task_id=task_id,
        reason=reason,
        payload=payload,
        actor=actor,
    )


def cancel(*, instance_id: str, reason: str, actor: Actor, force: bool = False) -> ActAnswer:
    """Start nothing more; `force` gives up calls in flight as unknown instead of waiting for them."""
    payload = {"force": True} if force else {}
    return perform(act="cancel", instance_id=instance_id, reason=reason, payload=payload, actor=actor)


def pause(*, instance_id: str, actor: Actor, reason: str = "") -> ActAnswer:
    """Start nothing more until `resume`; calls in flight end and are recorded first."""
    return perform(act="pause", instance_id=instance_id, reason=reason, actor=actor)


def resume(*, instance_id: str, actor: Actor, reason: str = "") -> ActAnswer:
    """Go on where `pause` stopped."""
    return perform(act="resume", instance_id=instance_id, reason=reason, actor=actor)


def close(*, instance_id: str, reason: str, actor: Actor) -> ActAnswer:
    """Accept a failure as final: nothing more happens to the instance and nobody is asked to look."""
    return perform(act="close", instance_id=instance_id, reason=reason, actor=actor)


def perform(
    *,
    act: str,
    instance_id: str,
    actor: Actor,
    task_id: str = "",
    reason: str = "",
    payload: Mapping[str, Any] | None = None,
) -> ActAnswer:
    """Any act by its name. Raises `Forbidden`, `InvalidInput`, `NotFound`, or `Conflict` telling who won."""
    reason = reason.strip()
    _check(act, actor=actor, task_id=task_id, reason=reason, payload=payload or {})
    action = NewAction(
        id=new_id(),
        instance_id=instance_id,
        task_id=task_id,
        act=act,
        payload=dict(payload or {}),
        reason=reason,
        actor=actor.name,
        source=actor.source,
        request_id=actor.request_id,
        address=actor.address,
    )
    return Performance(action, actor).run()


def _check(act: str, *, actor: Actor, task_id: str, reason: str, payload: Mapping[str, Any]) -> None:
    rule = RULES.get(act)
    if rule is None:
        raise InvalidInput(text("{act} is not available yet.", act=act), symbol="NOT_AVAILABLE")
    actor.require(rule.permission)
    problems: list[Problem] = []
    if rule.needs_reason and not reason:
        problems.append(Problem(loc=("reason",), code="required", message=text("Say why: a reason is required.")))
    if rule.needs_task and not task_id:
        problems.append(Problem(loc=("task_id",), code="required", message=text("Name the task.")))
    for key, value in [("reason", reason), *payload.items()]:
        if fault := fault_in(value):
            message = text("{name} cannot be stored: {fault}.", name=key, fault=fault)
            problems.append(Problem(loc=(key,), code="bad_value", message=message))
    if problems:
        raise InvalidInput(problems[0].message, problems=problems)
