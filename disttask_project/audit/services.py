"""The one writer of the operations log."""

from __future__ import annotations

from disttask_project.audit.models import AuditEntry
from disttask_project.kernel.actor import Actor
from disttask_project.kernel.clock import Clock, SystemClock
from disttask_project.kernel.json import JSON


def record(
    *,
    actor: Actor,
    act: str,
    object_type: str,
    object_id: str,
    reason: str = "",
    before: JSON = None,
    after: JSON = None,
    clock: Clock | None = None,
) -> AuditEntry:
    """Write one entry, in the caller's transaction: the act and its record commit together or not at all."""
    return AuditEntry.objects.create(
        at=(clock or SystemClock()).now(),
        actor=actor.name,
        source=actor.source,
        act=act,
        object_type=object_type,
        object_id=object_id,
        reason=reason,
        before=before,
        after=after,
        request_id=actor.request_id,
        address=actor.address,
    )
