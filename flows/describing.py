"""Descriptor sets of the task catalog: put in, taken out, looked up. What they hold is `flows.domain.descriptors`."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, Final

from django.conf import settings
from django.db import transaction

from disttask_project.audit.services import record
from disttask_project.kernel.actor import Actor
from disttask_project.kernel.clock import SystemClock
from disttask_project.kernel.errors import Conflict, InvalidInput, NotFound, Problem
from disttask_project.kernel.json import JSON, fault_in
from disttask_project.kernel.messages import Message, text
from disttask_project.kernel.times import rfc3339
from flows import repository
from flows.domain.descriptors import BadDescriptors, build_pool, described_services, read_set
from flows.models import DescriptorSet, Flow

EDIT: Final = "flows.edit_task_definition"
MAX_SETS: Final = 200

_clock = SystemClock()


def put_descriptor_set(*, content: bytes, actor: Actor, name: str = "") -> tuple[DescriptorSet, bool]:
    """Keep a serialized FileDescriptorSet; the second value says whether its bytes are new.

    The same bytes again make it the newest again: the way back from another one with the same services. Raises
    `Forbidden`, `InvalidInput`, `Conflict` where there are too many.
    """
    actor.require(EDIT)
    name = name.strip()
    if fault_in(name) or len(name) > 255:
        raise _refused("name", text("Must be a text of 255 characters at most."))
    try:
        files = read_set(content)
        build_pool(files)
    except BadDescriptors as error:
        raise _refused("content", text("The descriptors cannot be used: {reason}.", reason=error.message)) from error
    services: list[JSON] = [
        {"name": service.name, "methods": [dict(method) for method in service.methods]}
        for service in described_services(files)
    ]
    if not services:
        raise _refused("content", text("The descriptors describe no service."))
    digest = hashlib.sha256(content).hexdigest()
    with transaction.atomic():
        if not DescriptorSet.objects.filter(pk=digest).exists() and DescriptorSet.objects.count() >= MAX_SETS:
            raise Conflict(
                text("The catalog holds {most} descriptor sets; remove some first.", most=MAX_SETS),
                symbol="TOO_MANY_DESCRIPTOR_SETS",
            )
        row, is_new = repository.put_descriptor_set(
            digest=digest,
            name=name or str(services[0]["name"]),
            content=content,
            services=services,
            user=actor.name,
            now=_clock.now(),
        )
        record(actor=actor, act="put_descriptor_set", object_type="descriptor_set", object_id=digest, after=_said(row))
    return row, is_new


def remove_descriptor_set(*, digest: str, actor: Actor, reason: str = "") -> None:
    """Take a set out; tasks that name it by its hash fail from then on, so while a flow does it is a `Conflict`."""
    actor.require(EDIT)
    with transaction.atomic():
        row = get_descriptor_set(digest)
        pinning = [use["flow"].name for use in uses_of(row) if use["pinned"]]
        if pinning:
            raise Conflict(
                text("These flows name the set by its hash: {flows}.", flows=", ".join(pinning[:10])),
                symbol="DESCRIPTOR_SET_USED",
            )
        repository.remove_descriptor_set(row)
        record(
            actor=actor,
            act="remove_descriptor_set",
            object_type="descriptor_set",
            object_id=digest,
            reason=reason,
            before=_said(row),
        )


def list_descriptor_sets() -> Sequence[DescriptorSet]:
    """The newest first, without their bytes."""
    return list(DescriptorSet.objects.defer("content").order_by("-put_at", "hash"))


def get_descriptor_set(digest: str) -> DescriptorSet:
    """By its hash, without the bytes; raises `NotFound`."""
    row = DescriptorSet.objects.filter(pk=digest).defer("content").first()
    if row is None:
        raise NotFound(text("There is no descriptor set {hash}.", hash=digest[:64]), symbol="DESCRIPTOR_SET_NOT_FOUND")
    return row


def newest_by_service() -> Mapping[str, str]:
    """Of every service that is described, the hash of the set that counts."""
    found: dict[str, str] = {}
    for digest, services in DescriptorSet.objects.order_by("put_at", "-hash").values_list("hash", "services"):
        found.update(dict.fromkeys((service["name"] for service in services), digest))
    return found


def content_of(digest: str) -> bytes | None:
    """The bytes of a set, None where there is none."""
    content = DescriptorSet.objects.filter(pk=digest).values_list("content", flat=True).first()
    return None if content is None else bytes(content)


def uses_of(row: DescriptorSet) -> Sequence[Mapping[str, Any]]:
    """Where one set is used."""
    return uses_by_set([row])[row.hash]


def uses_by_set(rows: Sequence[DescriptorSet]) -> Mapping[str, Sequence[Mapping[str, Any]]]:
    """Living flows whose current version has an rpc task that means the set: {flow, task_id, service, pinned}."""
    newest = newest_by_service()
    found: dict[str, list[Mapping[str, Any]]] = {row.hash: [] for row in rows}
    flows = Flow.objects.filter(deleted_at=None, current__compiled__contains='"type":"rpc"').select_related("current")
    for flow in flows.order_by("name"):
        for task in (flow.current.compiled if flow.current else {}).get("tasks", ()):
            config = task.get("config")
            if task.get("type") != "rpc" or not isinstance(config, Mapping):
                continue
            service = _full_name(str(config.get("service", "")))
            pinned = str(config.get("descriptors") or "").removeprefix("sha256:")
            digest = pinned or newest.get(service, "")
            if digest in found:
                found[digest].append({"flow": flow, "task_id": task["id"], "service": service, "pinned": bool(pinned)})
    return found


def shown_set(row: DescriptorSet) -> dict[str, JSON]:
    """A set as REST and the command show it."""
    return {
        "hash": row.hash,
        "name": row.name,
        "size": row.size,
        "services": row.services,
        "put_at": rfc3339(row.put_at),
        "put_user": row.put_user,
    }


def shown_with_uses(row: DescriptorSet) -> dict[str, JSON]:
    """And where it is used."""
    uses: list[JSON] = [
        {
            "flow_id": use["flow"].pk,
            "flow_name": use["flow"].name,
            "task_id": use["task_id"],
            "service": use["service"],
            "pinned": use["pinned"],
        }
        for use in uses_of(row)
    ]
    return {**shown_set(row), "used_by": uses}


def _full_name(service: str) -> str:
    """`package.Service` of what a task calls its service."""
    listed = settings.DISTTASK.get("RPC_SERVICES", {}).get(service, {})
    return str(listed.get("service") or service)


def _said(row: DescriptorSet) -> dict[str, JSON]:
    return {"name": row.name, "size": row.size, "services": [service["name"] for service in row.services]}


def _refused(where: str, message: Message) -> InvalidInput:
    return InvalidInput(message, problems=[Problem(loc=(where,), code="bad_value", message=message)])
