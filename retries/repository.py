"""What people write on exception records; the rest of a record is the engine's journal's."""

from __future__ import annotations

from datetime import datetime

from retries.models import ExceptionRecord


def mark_handled(exception_id: str, *, by: str, remark: str, now: datetime) -> bool:
    """Mark it, unless it is marked already. False: somebody else was first (or there is none)."""
    changed = ExceptionRecord.objects.filter(pk=exception_id, handled=False).update(
        handled=True,
        handled_by=by,
        handled_at=now,
        handled_remark=remark,
        state=ExceptionRecord.State.RESOLVED,
        updated_at=now,
    )
    return changed == 1
