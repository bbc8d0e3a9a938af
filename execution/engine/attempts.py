"""The life of an attempt: its start (row before call), its end, and what a failure leads to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from disttask_project.kernel.json import JSON, digest
from disttask_project.kernel.messages import text
from execution.domain.outcome import Failure, Result, Sort
from execution.domain.states import TaskStatus
from execution.engine import checking, failing, undoing
from execution.engine.change import Change
from execution.engine.events import Ended, Start
from execution.engine.keys import errand_key, forward_key, undone_call
from execution.engine.recording import record_failure
from execution.engine.scopes import errand_scope, expression_failure, scope_of
from execution.engine.state import UNREADABLE_ANSWER, AttemptRow, InstanceState, PlannedCall, TaskState
from flows.domain.compiled import CompiledTask, ExpressionError, Kind
from flows.domain.parameters import InputError, bind_input, check_input


def start(change: Change, event: Start) -> None:
    """Begin an attempt of every named task that is still ready; inputs are bound and checked here.

    One whose input cannot be made fails at once, and may thereby stop those after it.
    """
    change.worker = event.worker
    state = change.state
    for task_id in event.task_ids:
        if (task_id in state.plan.ready and state.may_start) or (task_id in state.errands and state.may_run_errands):
            _start_one(change, state.flow.specs[task_id])


def _start_one(change: Change, spec: CompiledTask) -> None:
    state = change.state
    task = change.task(spec.id)
    task.attempt += 1
    task.started_at = task.started_at or change.now
    task.completed_at = task.next_at = None
    change.set_task(task, TaskStatus.RUNNING, "start", attempt=task.attempt, run=task.run)
    try:
        config, bound, key = _bind(change, spec, task)
        undoes = undone_call(state, spec)
    except (ExpressionError, InputError) as error:
        _open_attempt(change, task, key="", request=None)
        record_failure(change, task, _binding_failure(error), row=None)
        return
    _open_attempt(change, task, key=key, request={"config": config, "input": bound})
    state.in_flight += 1
    task.open_attempt = task.attempt
    change.calls.append(
        PlannedCall(
            task_id=spec.id,
            type=spec.type,
            attempt=task.attempt,
            run=task.run,
            key=key,
            config=config,
            input=bound,
            timeout_seconds=spec.timeout_seconds,
            undoes=undoes,
        )
    )


def _bind(change: Change, spec: CompiledTask, task: TaskState) -> tuple[Mapping[str, Any], Mapping[str, Any], str]:
    """Config, input and key of an attempt. A run binds once: its attempts send the same under the same key."""
    state = change.state
    if spec.kind is not Kind.FORWARD:
        return _bind_errand(change, spec, task)
    scope = scope_of(state, spec, task)
    override: Mapping[str, Any] = task.override or {}
    if task.input is None:
        task.input = bind_input(spec, params=state.params, scope=scope, override=override.get("input"))
        state.scope[spec.id]["input"] = task.input
    scope["input"] = task.input
    if task.config is None:
        rendered = spec.config.render(scope)
        task.config = {**rendered, **override["config"]} if override.get("config") else rendered
    return task.config, task.input, forward_key(state, spec, task, scope)


def _bind_errand(
    change: Change, spec: CompiledTask, task: TaskState
) -> tuple[Mapping[str, Any], Mapping[str, Any], str]:
    """An undo sends the same under the same key until a person changes it; a check asks anew each time."""
    state = change.state
    scope = errand_scope(state, spec, task)
    override: Mapping[str, Any] = task.override or {}
    if task.input is None or spec.kind is Kind.CHECK:
        own = state.tasks[spec.of].input or {}
        asked = {**(own if spec.inherits_input else {}), **{key: one.render(scope) for key, one in spec.input.items()}}
        task.input = check_input(spec.fields, {**_defaults(spec), **asked, **(override.get("input") or {})})
    scope["input"] = task.input
    if task.config is None or spec.kind is Kind.CHECK:
        task.config = {**spec.config.render(scope), **(override.get("config") or {})}
    return task.config, task.input, errand_key(state, spec, task)


def _defaults(spec: CompiledTask) -> dict[str, Any]:
    return {item.name: item.default for item in spec.fields if item.has_default}


def config_ahead(state: InstanceState, task_id: str) -> Mapping[str, Any] | None:
    """The config that a start now would send; nothing is changed. None: it cannot be made, so the start will fail."""
    spec = state.flow.specs[task_id]
    task = state.tasks.get(task_id) or TaskState(task_id=task_id)
    if isinstance(task.config, dict) and spec.kind is not Kind.CHECK:
        return task.config
    override: Mapping[str, Any] = task.override or {}
    try:
        if spec.kind is not Kind.FORWARD:
            scope = errand_scope(state, spec, task)
            scope["input"] = task.input or {}
        else:
            scope = scope_of(state, spec, task)
            scope["input"] = task.input
            if task.input is None:
                scope["input"] = bind_input(spec, params=state.params, scope=scope, override=override.get("input"))
        return {**spec.config.render(scope), **(override.get("config") or {})}
    except (ExpressionError, InputError):
        return None


def _open_attempt(change: Change, task: TaskState, *, key: str, request: JSON) -> None:
    change.attempt(
        AttemptRow(
            instance_id=change.state.id,
            task_id=task.task_id,
            number=task.attempt,
            run=task.run,
            status="started",
            fence=change.state.fence,
            worker=change.worker,
            key=key,
            is_start=True,
            started_at=change.now,
            request=request,
            request_digest=digest(request),
        )
    )


def end(change: Change, event: Ended) -> bool:
    """Take in what came of a call. False: the attempt is not the open one, so nothing changes."""
    task = change.state.tasks.get(event.task_id)
    if task is None or task.open_attempt != event.attempt:
        return False
    change.task(event.task_id)
    change.state.strikes = 0
    spec = change.state.flow.specs[event.task_id]
    outcome = event.outcome
    if isinstance(outcome, Result) and spec.kind is Kind.CHECK:
        checking.answered(change, task, outcome, duration_ms=event.duration_ms)
        return True
    if isinstance(outcome, Result):
        scope = {**_roots(change, spec, task), "input": task.input, "result": outcome.value}
        judged = _judge(spec, scope, outcome)
        if isinstance(judged, Failure):
            record_failure(change, task, judged, row=None, duration_ms=event.duration_ms)
        else:
            _succeed(change, task, outcome.value, judged, duration_ms=event.duration_ms)
        return True
    record_failure(change, task, _named(change, spec, task, outcome), row=None, duration_ms=event.duration_ms)
    return True


def _roots(change: Change, spec: CompiledTask, task: TaskState) -> dict[str, Any]:
    roots = scope_of if spec.kind is Kind.FORWARD else errand_scope
    return roots(change.state, spec, task)


class _Output:
    """What a judged result publishes; `value` None stands for the result itself."""

    __slots__ = ("value",)

    def __init__(self, value: JSON) -> None:
        self.value = value


def _judge(spec: CompiledTask, scope: dict[str, Any], outcome: Result) -> Failure | _Output:
    """The target answered; whether that is a success is for the task's own expressions to say."""
    field = "unknown_when"
    try:
        if spec.unknown_when is not None and spec.unknown_when.evaluate(scope) is True:
            return _answer_failure(spec, scope, Sort.MAYBE_APPLIED, "UNKNOWN_ANSWER", outcome.value)
        field = "success_when"
        if spec.success_when is not None and spec.success_when.evaluate(scope) is not True:
            return _answer_failure(spec, scope, Sort.REFUSED_NOW, "SUCCESS_WHEN_FALSE", outcome.value)
        field = "output"
        return _Output(None if spec.output is None else spec.output.render(scope))
    except ExpressionError as error:
        return replace(expression_failure(error, field), type=UNREADABLE_ANSWER, response=outcome.value)


def _answer_failure(spec: CompiledTask, scope: dict[str, Any], sort: Sort, code: str, response: JSON) -> Failure:
    message = text("The target answered, but its answer does not count as a success.")
    if sort is Sort.MAYBE_APPLIED:
        message = text("The target answered that it does not know yet.")
    return Failure(
        sort=sort,
        type="AnswerError",
        code=_said(spec.error_code, scope) or code,
        message=_said(spec.error_message, scope) or message,
        response=response,
    )


def _named(change: Change, spec: CompiledTask, task: TaskState, failure: Failure) -> Failure:
    """A failure that carries an answer gets the target's own code and message, where the task says how to read them."""
    if failure.response is None or (spec.error_code is None and spec.error_message is None):
        return failure
    scope = {**_roots(change, spec, task), "input": task.input, "result": failure.response}
    return replace(
        failure,
        code=_said(spec.error_code, scope) or failure.code,
        message=_said(spec.error_message, scope) or failure.message,
    )


def _said(expression: Any, scope: dict[str, Any]) -> str:
    """The target's own word, or nothing: an answer without one falls back to the executor's."""
    if expression is None:
        return ""
    try:
        value = expression.evaluate(scope)
    except ExpressionError:
        return ""
    return "" if value is None or isinstance(value, dict | list) else str(value)


def _succeed(change: Change, task: TaskState, result: JSON, output: _Output, *, duration_ms: float) -> None:
    had_failed = task.error is not None
    failing.close_attempt(change, task, "success", response=result, duration_ms=duration_ms)
    task.result = result
    task.output = output.value
    task.error = None
    task.first_failed_at = None
    change.set_task(task, TaskStatus.SUCCESS, "success", attempt=task.attempt)
    if had_failed:
        failing.close_exception(change, task, by="engine")
    if change.state.flow.specs[task.task_id].kind is Kind.UNDO:
        undoing.undone(change, task)


def _binding_failure(error: ExpressionError | InputError) -> Failure:
    if isinstance(error, InputError):
        return Failure(
            sort=Sort.REFUSED,
            type="InputError",
            code="INPUT_INVALID",
            message=str(error),
            response={"problems": [problem.as_dict() for problem in error.problems]},
        )
    return expression_failure(error, "input")
