"""Writing flows: one way for console, REST, gRPC and commands.

Each checks the actor's permission, does its work in one transaction and leaves an entry in the operations log.
"""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import transaction

from disttask_project.audit.services import record
from disttask_project.kernel.actor import Actor
from disttask_project.kernel.clock import SystemClock
from disttask_project.kernel.errors import Conflict, InvalidInput, Problem
from disttask_project.kernel.json import JSON, digest, fault_in
from disttask_project.kernel.messages import text
from flows import repository, selectors
from flows.domain.definition import Prepared, Report, RetryDefaults, invalid, prepare_definition
from flows.models import Flow, FlowVersion

EDIT = "flows.edit_flow"
PUBLISH = "flows.publish_flow"
MAX_NOTE = 10_000

_clock = SystemClock()


def retry_defaults() -> RetryDefaults:
    """`[retry]` of the configuration, pinned into each version that is saved."""
    return RetryDefaults(
        max_attempts=settings.DISTTASK["RETRY_DEFAULT_MAX_ATTEMPTS"],
        interval=settings.DISTTASK["RETRY_DEFAULT_INTERVAL"],
    )


def create_flow(
    *,
    definition: object,
    actor: Actor,
    name: str = "",
    description: str = "",
    flow_type: str = "",
    create_user: str = "",
    note: str = "",
    draft: bool = False,
) -> Flow:
    """A new flow with its first version, published unless `draft`.

    Without `name` the definition's own counts. `create_user` is who the caller claims to act for; the operations log
    keeps the actor. Raises `Forbidden`, `InvalidInput` with every problem, `Conflict` where the name is taken.
    """
    _require(actor, draft=draft)
    prepared = _prepared(definition, name=name.strip() or None)
    flow_name = name.strip() or str(prepared.document["name"])
    _check_texts(name=flow_name, description=description, flow_type=flow_type, note=note, create_user=create_user)
    if selectors.name_exists(flow_name):
        raise repository.name_taken(flow_name)
    now = _clock.now()
    with transaction.atomic():
        flow = repository.insert_flow(
            name=flow_name,
            description=description or prepared.document.get("description", ""),
            flow_type=flow_type,
            user=create_user or actor.name,
            now=now,
        )
        version = repository.add_version(
            flow,
            definition=prepared.document,
            pinned=prepared.pinned,
            note=note,
            user=create_user or actor.name,
            now=now,
            published=not draft,
        )
        _record(actor, "create_flow", flow, after={"name": flow.name, **_said(version)})
    return flow


def save_version(
    *,
    flow_id: str,
    definition: object,
    actor: Actor,
    description: str | None = None,
    flow_type: str | None = None,
    note: str = "",
    draft: bool = False,
    expected_version: int | None = None,
) -> FlowVersion:
    """A new version of a flow, current at once unless `draft`.

    `expected_version` is the latest number the editor has seen: another one since then is a `Conflict`.
    """
    _require(actor, draft=draft)
    name = selectors.get_flow(flow_id).name
    prepared = _prepared(definition, name=name)
    _check_texts(description=description or "", flow_type=flow_type or "", note=note)
    now = _clock.now()
    with transaction.atomic():
        flow = repository.locked_flow(flow_id)
        if expected_version is not None and flow.latest_number != expected_version:
            raise Conflict(
                text(
                    "{name} has version {latest} by now; you started from version {expected}.",
                    name=flow.name,
                    latest=flow.latest_number,
                    expected=expected_version,
                ),
                symbol="VERSION_CONFLICT",
            )
        before = _state(flow)
        flow.description = flow.description if description is None else description
        flow.flow_type = flow.flow_type if flow_type is None else flow_type
        version = repository.add_version(
            flow,
            definition=prepared.document,
            pinned=prepared.pinned,
            note=note,
            user=actor.name,
            now=now,
            published=not draft,
        )
        act = "save_draft" if draft else "save_version"
        _record(actor, act, flow, reason=note, before=before, after={**_state(flow), **_said(version)})
    return version


def publish_version(*, flow_id: str, number: int, actor: Actor, reason: str = "") -> FlowVersion:
    """Make a version the current one: a draft's first publication, or the way back to an older version."""
    actor.require(PUBLISH)
    with transaction.atomic():
        flow = repository.locked_flow(flow_id)
        version = selectors.get_version(flow_id, number)
        if flow.current_id != version.pk:
            before = _state(flow)
            repository.publish(flow, version, user=actor.name, now=_clock.now())
            _record(actor, "publish_version", flow, reason=reason, before=before, after=_state(flow))
    return version


def set_active(*, flow_id: str, is_active: bool, actor: Actor, reason: str = "") -> Flow:
    """Say whether new instances may start; running ones go on."""
    actor.require(PUBLISH)
    with transaction.atomic():
        flow = repository.locked_flow(flow_id)
        if flow.is_active != is_active:
            flow.is_active = is_active
            repository.touch(flow, user=actor.name, now=_clock.now())
            act = "activate_flow" if is_active else "deactivate_flow"
            _record(
                actor, act, flow, reason=reason, before={"is_active": not is_active}, after={"is_active": is_active}
            )
    return flow


def delete_flow(*, flow_id: str, actor: Actor, reason: str = "") -> None:
    """Take a flow out of use; its instances stay and go on, its name is free again."""
    actor.require(PUBLISH)
    with transaction.atomic():
        flow = repository.locked_flow(flow_id)
        before = {"name": flow.name, **_state(flow)}
        repository.bury(flow, user=actor.name, now=_clock.now())
        _record(actor, "delete_flow", flow, reason=reason, before=before)


def _require(actor: Actor, *, draft: bool) -> None:
    actor.require(EDIT)
    if not draft:
        actor.require(PUBLISH)


def _prepared(definition: object, *, name: str | None) -> Prepared:
    prepared = prepare_definition(
        definition,
        catalog=selectors.load_catalog(),
        defaults=retry_defaults(),
        max_task_timeout=settings.DISTTASK["ENGINE_MAX_TASK_TIMEOUT"],
        name=name,
    )
    if prepared.pinned is None:
        raise invalid(prepared.report)
    if problems := tuple(selectors.failure_flow_problems(prepared.pinned)):
        raise invalid(Report(problems=problems))
    return prepared


_LENGTHS = {"name": 255, "description": 65_536, "flow_type": 64, "note": MAX_NOTE, "create_user": 150}


def _check_texts(**values: object) -> None:
    """What stands beside the definition, all faults at once."""
    problems: list[Problem] = []
    for key, value in values.items():
        if not isinstance(value, str):
            problems.append(Problem(loc=(key,), code="wrong_type", message=text("Must be a string.")))
        elif fault := fault_in(value):
            message = text("{name} cannot be stored: {fault}.", name=key, fault=fault)
            problems.append(Problem(loc=(key,), code="bad_value", message=message))
        elif len(value) > _LENGTHS[key]:
            message = text("Must have {most} characters at most.", most=_LENGTHS[key])
            problems.append(Problem(loc=(key,), code="bad_value", message=message))
    if problems:
        raise InvalidInput(problems[0].message, problems=problems)


def _state(flow: Flow) -> dict[str, Any]:
    return {
        "current": flow.current.number if flow.current else None,
        "description": flow.description,
        "flow_type": flow.flow_type,
    }


def _said(version: FlowVersion) -> dict[str, JSON]:
    return {"version": version.number, "state": str(version.state), "digest": digest(version.definition)}


def _record(actor: Actor, act: str, flow: Flow, **more: Any) -> None:
    record(actor=actor, act=act, object_type="flow", object_id=flow.pk, **more)
