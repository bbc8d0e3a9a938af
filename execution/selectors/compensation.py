"""What would be undone, or is: the plan of a compensation, read without touching the instance (flow-definition 6)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from disttask_project.kernel.json import JSON
from disttask_project.kernel.messages import Message, text
from execution.domain.states import InstanceStatus, TaskStatus
from execution.domain.undoing import undo_plan
from execution.engine.core import load_state
from execution.engine.scopes import errand_scope
from execution.engine.state import ErrorInfo, InstanceState, TaskState
from execution.engine.undoing import has_unknown_outcome, undoable
from execution.selectors.tasks import InstanceDetail, TaskView
from flows.domain.compiled import CompiledFlow, CompiledTask, ExpressionError, Kind
from flows.selectors import compiled_version

_MAY_BEGIN: Final = (InstanceStatus.RUNNING, InstanceStatus.FAILED, InstanceStatus.PAUSED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Undo:
    """One task to be undone. Those of one `step` are undone in parallel, step 1 first."""

    task_id: str
    undo_id: str
    name: str
    task_name: str
    type: str
    step: int
    config: JSON
    input: JSON
    input_problem: str
    outcome_unknown: bool
    status: str  # of the undo: pending until it has begun


@dataclass(frozen=True, slots=True, kw_only=True)
class CompensationPlan:
    """`why_not` says what stands in the way of beginning it now; empty where nothing does."""

    instance_id: str
    status: str
    undo: Sequence[Undo]
    nothing_to_undo: Sequence[TaskView]
    why_not: Message | str

    @property
    def is_ready(self) -> bool:
        return not self.why_not


def plan(detail: InstanceDetail) -> CompensationPlan:
    """The plan as it stands now; of an instance that is being undone, what is left of it."""
    state = _state_of(detail, compiled_version(detail.instance.version_id))
    names = _open(state)
    steps = _steps(state.flow, names)
    views = {view.task_id: view for view in detail.tasks}
    undos = [_undo(state, views, task_id, steps[task_id]) for task_id in names]
    done = (TaskStatus.SUCCESS, TaskStatus.FAILED, TaskStatus.UNKNOWN)
    nothing = [
        view
        for view in detail.tasks
        if view.kind == Kind.FORWARD and view.attempt and view.status in done and view.task_id not in steps
    ]
    return CompensationPlan(
        instance_id=detail.instance.pk,
        status=detail.instance.status,
        undo=sorted(undos, key=lambda undo: (undo.step, undo.task_id)),
        nothing_to_undo=nothing,
        why_not=_why_not(detail, undos),
    )


def _open(state: InstanceState) -> list[str]:
    if state.is_being_undone:
        return [
            task_id
            for task_id in state.flow.tasks
            if task_id in state.tasks and state.tasks[task_id].status is TaskStatus.COMPENSATING
        ]
    return undoable(state)


def _why_not(detail: InstanceDetail, undos: Sequence[Undo]) -> Message | str:
    status = detail.instance.status
    if InstanceStatus.COMPENSATING in (status, detail.instance.paused_from):
        return text("It is being undone already.")
    if detail.instance.closed or status not in _MAY_BEGIN:
        return text("An instance that is {status} cannot be undone.", status=status)
    if not undos:
        return text("No task of this instance has anything to undo.")
    return ""


def _steps(flow: CompiledFlow, names: Sequence[str]) -> dict[str, int]:
    """Which tasks are undone together: the waves of the plan, each once the one before it is through."""
    order = undo_plan(flow, names)
    steps: dict[str, int] = {}
    wave, step = order.ready(), 1
    while wave:
        steps.update(dict.fromkeys(wave, step))
        wave, step = [freed for task_id in wave for freed in order.close(task_id)], step + 1
    return steps


def _undo(state: InstanceState, views: dict[str, TaskView], task_id: str, step: int) -> Undo:
    spec = state.flow.tasks[task_id].undo
    assert spec is not None, "only what has an undo is in the plan"
    begun = views.get(spec.id)
    config, sent, problem = _preview(state, spec)
    if begun is not None and begun.input_data is not None:
        config, sent, problem = begun.config, begun.input_data, ""
    return Undo(
        task_id=task_id,
        undo_id=spec.id,
        name=spec.name,
        task_name=spec.task_name,
        type=spec.type,
        step=step,
        config=config,
        input=sent,
        input_problem=problem,
        outcome_unknown=has_unknown_outcome(state.tasks[task_id]),
        status=str(begun.status) if begun is not None else str(TaskStatus.PENDING),
    )


def _preview(state: InstanceState, spec: CompiledTask) -> tuple[JSON, JSON, str]:
    """Config and input as they would be sent, and why they cannot be made where they cannot."""
    scope = errand_scope(state, spec)
    own = state.tasks[spec.of].input or {}
    try:
        sent: dict[str, Any] = {item.name: item.default for item in spec.fields if item.has_default}
        sent |= {**(own if spec.inherits_input else {}), **{key: one.render(scope) for key, one in spec.input.items()}}
        return spec.config.render({**scope, "input": sent}), sent, ""
    except ExpressionError as error:
        return spec.config.source, {}, str(error)


def _state_of(detail: InstanceDetail, flow: CompiledFlow) -> InstanceState:
    instance = detail.instance
    tasks = {view.task_id: _task_of(view) for view in detail.tasks if view.task_id in flow.specs and _has_row(view)}
    return load_state(
        flow=flow,
        tasks=tasks,
        id=instance.pk,
        flow_id=instance.flow_id,
        version_number=instance.version.number,
        status=InstanceStatus(instance.status),
        params=instance.params,
        tags=dict(detail.tags),
        error=instance.error,
        paused_from=instance.paused_from,
        created_at=instance.created_at,
    )


def _has_row(view: TaskView) -> bool:
    return view.status != TaskStatus.PENDING or view.attempt > 0


def _task_of(view: TaskView) -> TaskState:
    error = None
    if view.error_type or view.error_code or view.error_message:
        error = ErrorInfo(type=view.error_type, code=view.error_code, message=view.error_message)
    return TaskState(
        task_id=view.task_id,
        status=TaskStatus(view.status),
        skip_reason=view.skip_reason,
        input=view.input_data,
        output=view.output_data,
        result=view.result,
        error=error,
        attempt=view.attempt,
        run=view.run,
    )
