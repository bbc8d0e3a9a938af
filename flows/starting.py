"""Which flow and version a start means, and whether it may start: one query a distinct reference."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from disttask_project.kernel.errors import Conflict, InvalidInput, NotFound, Problem
from disttask_project.kernel.messages import text
from flows.models import Flow, FlowVersion


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowRef:
    """What a caller said: an id or a name, and perhaps a version."""

    flow_id: str | None = None
    flow_name: str | None = None
    version: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Startable:
    """A published version of an active flow."""

    flow_id: str
    flow_name: str
    version_id: str
    number: int


def startable(ref: FlowRef) -> Startable:
    """The version to start; raises `InvalidInput`, `NotFound` or `Conflict`, each saying how to mend it."""
    flow = _flow(ref)
    if not flow.is_active:
        raise Conflict(
            text("The flow {name} is not active: activate it before starting instances.", name=flow.name),
            symbol="FLOW_INACTIVE",
        )
    if ref.version is not None:
        return _named_version(flow, ref.version)
    current = flow.current
    if current is None:
        raise Conflict(
            text("The flow {name} has no published version yet: publish one first.", name=flow.name),
            symbol="FLOW_NOT_PUBLISHED",
        )
    return Startable(flow_id=flow.pk, flow_name=flow.name, version_id=current.pk, number=current.number)


def _flow(ref: FlowRef) -> Flow:
    if (ref.flow_id is None) == (ref.flow_name is None):
        message = text("Name the flow by flow_id or by flow_name, one of the two.")
        code = "required" if ref.flow_id is None else "conflicting"
        raise InvalidInput(message, problems=[Problem(loc=("flow_id",), code=code, message=message)])
    rows = Flow.objects.select_related("current").only("id", "name", "is_active", "current__id", "current__number")
    if ref.flow_id is not None:
        flow = rows.filter(pk=ref.flow_id, deleted_at=None).first()
        asked = ref.flow_id
    else:
        flow = rows.filter(live_name=ref.flow_name).first()
        asked = ref.flow_name or ""
    if flow is None:
        raise NotFound(text("There is no flow {name}.", name=asked[:255]), symbol="FLOW_NOT_FOUND")
    return flow


def _named_version(flow: Flow, number: int) -> Startable:
    version = FlowVersion.objects.filter(flow=flow, number=number).only("id", "number", "state").first()
    if version is None:
        raise NotFound(
            text("The flow {name} has no version {number}.", name=flow.name, number=number),
            symbol="VERSION_NOT_FOUND",
        )
    if version.state != FlowVersion.State.PUBLISHED:
        raise Conflict(
            text(
                "Version {number} of the flow {name} is a draft: publish it before starting it.",
                name=flow.name,
                number=number,
            ),
            symbol="FLOW_NOT_PUBLISHED",
        )
    return Startable(flow_id=flow.pk, flow_name=flow.name, version_id=version.pk, number=version.number)


def is_flow_id(written: str) -> bool:
    """Whether it has the form of an id that we make (a UUID); names of that form are looked up as ids."""
    try:
        return str(uuid.UUID(written)) == written
    except ValueError:
        return False
