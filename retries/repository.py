"""What people write on exception records; the rest of a record is the engine's journal's."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from retries.models import ExceptionComment, ExceptionRecord


def change(found: ExceptionRecord, changes: Mapping[str, Any], *, now: datetime) -> bool:
    """Change the record if it stands as it was read. False: somebody else, or the engine, was first."""
    as_read = ExceptionRecord.objects.filter(
        pk=found.pk, state=found.state, handled=found.handled, assignee=found.assignee
    )
    return as_read.update(**changes, updated_at=now) == 1


def add_comment(exception_id: str, *, author: str, comment: str, now: datetime) -> ExceptionComment:
    return ExceptionComment.objects.create(exception_id=exception_id, author=author, text=comment, at=now)
