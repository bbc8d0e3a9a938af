"""The only writes to the tables of flows. Callers are in a transaction."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.db import IntegrityError, connection, transaction

from disttask_project.kernel.errors import Conflict, NotFound
from disttask_project.kernel.json import JSON
from disttask_project.kernel.messages import text
from flows.domain.catalog import CatalogEntry, field_as_json
from flows.models import DescriptorSet, Flow, FlowVersion, TaskDefinition


def name_taken(name: str) -> Conflict:
    return Conflict(text("A flow named {name} exists already.", name=name), symbol="FLOW_NAME_TAKEN")


def insert_flow(*, name: str, description: str, flow_type: str, user: str, now: datetime) -> Flow:
    """A flow without versions; raises `Conflict` where its name is taken, also by one who was just faster."""
    try:
        with transaction.atomic():
            return Flow.objects.create(
                name=name,
                live_name=name,
                description=description,
                flow_type=flow_type,
                created_at=now,
                updated_at=now,
                create_user=user,
                updated_user=user,
            )
    except IntegrityError as error:
        raise name_taken(name) from error


def locked_flow(flow_id: str) -> Flow:
    """A living flow, held until the transaction ends; raises `NotFound`."""
    rows = Flow.objects.filter(pk=flow_id, deleted_at=None)
    if connection.features.has_select_for_update:
        rows = rows.select_for_update()
    flow = rows.first()
    if flow is None:
        raise flow_not_found(flow_id)
    return flow


def flow_not_found(asked: str) -> NotFound:
    return NotFound(text("There is no flow {name}.", name=asked[:255]), symbol="FLOW_NOT_FOUND")


def add_version(
    flow: Flow, *, definition: JSON, pinned: JSON, note: str, user: str, now: datetime, published: bool
) -> FlowVersion:
    """The next version of a locked flow; a published one becomes current."""
    flow.latest_number += 1
    version = FlowVersion.objects.create(
        flow=flow,
        number=flow.latest_number,
        state=FlowVersion.State.PUBLISHED if published else FlowVersion.State.DRAFT,
        definition=definition,
        compiled=pinned,
        note=note,
        created_at=now,
        create_user=user,
        published_at=now if published else None,
        published_user=user if published else "",
    )
    if published:
        flow.current = version
    touch(flow, user=user, now=now)
    return version


def publish(flow: Flow, version: FlowVersion, *, user: str, now: datetime) -> None:
    """Make a version of a locked flow the current one; a draft becomes published by it."""
    if version.state == FlowVersion.State.DRAFT:
        version.state = FlowVersion.State.PUBLISHED
        version.published_at = now
        version.published_user = user
        version.save(update_fields=["state", "published_at", "published_user"])
    flow.current = version
    touch(flow, user=user, now=now)


def touch(flow: Flow, *, user: str, now: datetime) -> None:
    """Write a locked flow's changed columns."""
    flow.updated_at = now
    flow.updated_user = user
    flow.save()


def bury(flow: Flow, *, user: str, now: datetime) -> None:
    """Delete softly: the name is free again, instances keep their flow."""
    flow.live_name = None
    flow.deleted_at = now
    flow.is_active = False
    touch(flow, user=user, now=now)


def put_task_definition(entry: CatalogEntry, *, user: str, now: datetime) -> tuple[TaskDefinition, bool]:
    """Insert or update a catalog entry; the second value says whether it is new."""
    values: dict[str, Any] = {
        "type": entry.type,
        "description": entry.description,
        "config": dict(entry.config),
        "input_fields": [field_as_json(item) for item in entry.input_fields],
        "example": None if entry.example is None else dict(entry.example),
        "is_code": entry.is_code,
        "updated_at": now,
        "updated_user": user,
    }
    return TaskDefinition.objects.update_or_create(
        name=entry.name, defaults=values, create_defaults={**values, "created_at": now}
    )


def sync_code_entries(entries: Iterable[CatalogEntry], *, now: datetime) -> None:
    """Make the rows of code entries say what the code says; those the code no longer has go."""
    wanted = {entry.name: entry for entry in entries}
    stored = {row.name: row for row in TaskDefinition.objects.filter(is_code=True)}
    TaskDefinition.objects.filter(name__in=set(stored).difference(wanted), is_code=True).delete()
    for entry in wanted.values():
        row = stored.get(entry.name)
        if row is None or differs(row, entry):
            put_task_definition(entry, user="", now=now)


def differs(row: TaskDefinition, entry: CatalogEntry) -> bool:
    """Whether the stored entry says anything else."""
    fields = [field_as_json(item) for item in entry.input_fields]
    said = (entry.type, entry.description, dict(entry.config), fields, entry.example)
    return said != (row.type, row.description, row.config, row.input_fields, row.example)


def remove_task_definition(row: TaskDefinition) -> None:
    row.delete()


def put_descriptor_set(
    *, digest: str, name: str, content: bytes, services: JSON, user: str, now: datetime
) -> tuple[DescriptorSet, bool]:
    """Insert a set, or make it the newest again; the second value says whether it is new."""
    values: dict[str, Any] = {"name": name, "put_at": now, "put_user": user}
    made = {**values, "content": content, "size": len(content), "services": services}
    return DescriptorSet.objects.update_or_create(hash=digest, defaults=values, create_defaults=made)


def remove_descriptor_set(row: DescriptorSet) -> None:
    row.delete()
