"""From the forms of the flow pages to the services."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from disttask_project.kernel import json
from disttask_project.kernel.actor import Actor
from disttask_project.kernel.errors import InvalidInput, Problem
from flows import services
from flows.admin.drawing import drawn_document
from flows.models import Flow
from flows.selectors import validate_definition


@dataclass(frozen=True, slots=True, kw_only=True)
class Posted:
    """What the editor sends beside the definition; `base` is the version number its author began with."""

    note: str
    is_draft: bool
    base: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    flow_id: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    problems: Sequence[Problem]
    warnings: Sequence[Problem]
    svg: SafeString


def save(flow: Flow | None, text: str, posted: Posted, *, actor: Actor) -> Saved:
    """A new flow, or a new version of `flow`; raises the service's errors."""
    document = _document(text)
    if flow is None:
        made = services.create_flow(definition=document, actor=actor, note=posted.note, draft=posted.is_draft)
        return Saved(flow_id=made.pk, text=_("The flow %(name)s is made.") % {"name": made.name})
    version = services.save_version(
        flow_id=flow.pk,
        definition=document,
        actor=actor,
        note=posted.note,
        draft=posted.is_draft,
        expected_version=posted.base or None,
    )
    told = _("Draft v%(n)d is saved.") if posted.is_draft else _("Version v%(n)d is saved and published.")
    return Saved(flow_id=flow.pk, text=told % {"n": version.number})


def publish(flow: Flow, number: int, *, actor: Actor) -> str:
    version = services.publish_version(flow_id=flow.pk, number=number, actor=actor)
    return _("Version v%(n)d is published; new instances use it.") % {"n": version.number}


def set_active(flow: Flow, *, active: bool, actor: Actor) -> str:
    services.set_active(flow_id=flow.pk, is_active=active, actor=actor)
    if active:
        return _("The flow is active.")
    return _("The flow is inactive: nothing new starts, running instances go on.")


def preview(text: str) -> Checked:
    """What is wrong with the text as it stands, and its graph. Never raises."""
    try:
        document = json.loads(text)
    except InvalidInput as error:
        problem = Problem(loc=(), code="bad_json", message=error.message)
        return Checked(problems=[problem], warnings=(), svg=SafeString(""))
    report = validate_definition(document)
    return Checked(problems=report.problems, warnings=report.warnings, svg=drawn_document(document))


def _document(text: str) -> object:
    try:
        return json.loads(text)
    except InvalidInput as error:
        problem = Problem(loc=(), code="bad_json", message=error.message)
        raise InvalidInput(error.message, problems=[problem], symbol=error.symbol) from error
