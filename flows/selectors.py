"""Reading flows, versions and the task catalog."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.conf import settings
from django.db.models import QuerySet

from disttask_project.kernel.errors import NotFound, Problem
from disttask_project.kernel.messages import text
from disttask_project.paging import Page, PageRequest, paginate
from flows.domain.catalog import CODE_ENTRIES, Catalog, CatalogEntry, field_from_json
from flows.domain.compiled import CompiledFlow
from flows.domain.definition import Report, check_definition, compile_flow
from flows.domain.diffing import Diff, diff_definitions
from flows.domain.drawing import Graph, graph_of
from flows.domain.problems import Problems
from flows.domain.reading import decode_document
from flows.models import Flow, FlowVersion, TaskDefinition
from flows.versioncache import VersionCache

ORDERINGS: Final[Mapping[str, str]] = {"updated_at": "updated_at", "created_at": "created_at", "name": "name"}


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowFilter:
    """What a list of flows may be narrowed by; None means: not narrowed. `search` is a part of the name."""

    name: str | None = None
    flow_type: str | None = None
    is_active: bool | None = None
    search: str | None = None


def list_flows(*, filters: FlowFilter | None = None, asked: PageRequest | None = None) -> Page[Flow]:
    """One page of living flows with their current versions, without the definitions."""
    narrowed = filters or FlowFilter()
    plain: dict[str, Any] = {
        "live_name": narrowed.name,
        "flow_type": narrowed.flow_type,
        "is_active": narrowed.is_active,
        "name__icontains": narrowed.search,
    }
    rows = living().filter(**{key: value for key, value in plain.items() if value is not None})
    return paginate(rows, asked or PageRequest(), orderings=ORDERINGS, default="-updated_at")


def living() -> QuerySet[Flow]:
    """Flows that were not deleted."""
    rows = Flow.objects.filter(deleted_at=None).select_related("current")
    return rows.defer("current__definition", "current__compiled")


def get_flow(flow_id: str) -> Flow:
    """A living flow with its current version and definition; raises `NotFound`."""
    flow = Flow.objects.filter(pk=flow_id, deleted_at=None).select_related("current").first()
    if flow is None:
        raise _no_flow(flow_id)
    return flow


def find_flow(name: str) -> Flow:
    """A living flow by its name, byte for byte; raises `NotFound`."""
    flow = Flow.objects.filter(live_name=name).select_related("current").first()
    if flow is None:
        raise _no_flow(name)
    return flow


def _no_flow(asked: str) -> NotFound:
    return NotFound(text("There is no flow {name}.", name=asked[:255]), symbol="FLOW_NOT_FOUND")


def name_exists(name: str) -> bool:
    """Whether a living flow has the name."""
    return Flow.objects.filter(live_name=name).exists()


def get_version(flow_id: str, number: int) -> FlowVersion:
    """A version by its number; raises `NotFound`."""
    version = FlowVersion.objects.filter(flow_id=flow_id, number=number).first()
    if version is None:
        raise NotFound(text("The flow has no version {number}.", number=number), symbol="VERSION_NOT_FOUND")
    return version


def chosen_version(flow: Flow, number: int | None) -> FlowVersion:
    """The version of that number; without one the current, or the latest where none is published."""
    if number is None:
        return flow.current or latest_version(flow)
    return get_version(flow.pk, number)


def latest_version(flow: Flow) -> FlowVersion:
    """The version somebody wrote last, published or not: what an editor opens."""
    return get_version(flow.pk, flow.latest_number)


def list_versions(flow_id: str) -> Sequence[FlowVersion]:
    """All versions of a flow, the latest first, without their definitions."""
    return list(FlowVersion.objects.filter(flow_id=flow_id).defer("definition", "compiled").order_by("-number"))


def diff_versions(flow_id: str, number: int, other: int) -> Diff:
    """What changed from version `number` to version `other`; raises `NotFound`."""
    before, after = get_version(flow_id, number), get_version(flow_id, other)
    return diff_definitions(
        before.definition, after.definition, names=(f"version {before.number}", f"version {after.number}")
    )


def version_graph(version: FlowVersion) -> Graph:
    """The tasks of a version and their edges, ready for `flows.domain.drawing`."""
    return graph_of(compiled_version(version.pk))


def _load_version(version_id: str) -> CompiledFlow:
    pinned = FlowVersion.objects.filter(pk=version_id).values_list("compiled", flat=True).first()
    if pinned is None:
        raise NotFound(text("There is no flow version {name}.", name=version_id[:64]), symbol="VERSION_NOT_FOUND")
    return compile_flow(pinned)


_versions = VersionCache(_load_version)


def compiled_version(version_id: str) -> CompiledFlow:
    """The compiled form of a version, kept in the process: a version never changes. Raises `NotFound`."""
    return _versions.get(version_id)


def load_catalog() -> Catalog:
    """The task catalog as it stands: entries of code, then those of the console."""
    entries = {entry.name: entry for entry in CODE_ENTRIES}
    entries.update((row.name, as_entry(row)) for row in TaskDefinition.objects.filter(is_code=False))
    return Catalog(entries=entries)


def as_entry(row: TaskDefinition) -> CatalogEntry:
    return CatalogEntry(
        name=row.name,
        type=row.type,
        description=row.description,
        config=row.config,
        input_fields=tuple(field_from_json(item) for item in row.input_fields),
        example=row.example,
        is_code=row.is_code,
    )


def validate_definition(document: object) -> Report:
    """Everything wrong with a document, against catalog and flows as they stand. Never raises."""
    most = settings.DISTTASK["ENGINE_MAX_TASK_TIMEOUT"]
    report = check_definition(document, catalog=load_catalog(), max_task_timeout=most)
    found = failure_flow_problems(decode_document(document, Problems())) if report.is_valid else ()
    return Report(problems=(*report.problems, *found), warnings=report.warnings)


def failure_flow_problems(document: object) -> Sequence[Problem]:
    """What is wrong with the failure flow that a document names: no such flow, or one that leads back to it.

    One that is not active, or not published yet, may be by the time it is needed. A longer circle is cut at its run.
    """
    named = document.get("failure_flow") if isinstance(document, dict) else None
    if not isinstance(named, dict):
        return ()
    found = Flow.objects.filter(live_name=named["flow"]).values_list("current__compiled", flat=True)[:1]
    loc, flow = ("failure_flow", "flow"), str(named["flow"])[:255]
    if not found:
        return (Problem(loc=loc, code="unknown_flow", message=text("There is no flow {name}.", name=flow)),)
    back = (found[0] or {}).get("failure_flow") or {}
    if isinstance(document, dict) and back.get("flow") == document.get("name"):
        message = text("{name} names this flow as its own failure flow: they would start each other.", name=flow)
        return (Problem(loc=loc, code="circular", message=message),)
    return ()


def list_task_definitions() -> Sequence[TaskDefinition]:
    return list(TaskDefinition.objects.order_by("name"))


def get_task_definition(name: str) -> TaskDefinition:
    """A catalog entry; raises `NotFound`."""
    row = TaskDefinition.objects.filter(pk=name).first()
    if row is None:
        raise NotFound(
            text("There is no task type {name} in the catalog.", name=name[:64]), symbol="TASK_DEFINITION_NOT_FOUND"
        )
    return row


def flows_using(task_name: str) -> Sequence[Flow]:
    """Living flows whose current version has a task of this entry: an edited one touches them at their next save."""
    rows = Flow.objects.filter(deleted_at=None, current__compiled__contains=f'"task_name":"{task_name}"')
    found = rows.select_related("current").order_by("name")
    return [
        flow
        for flow in found
        if flow.current and any(task["task_name"] == task_name for task in flow.current.compiled["tasks"])
    ]
