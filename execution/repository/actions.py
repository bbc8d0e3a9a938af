"""Operator acts as rows."""

from __future__ import annotations

from datetime import datetime

from execution.models import OperatorAction
from execution.stores.base import NewAction


def insert_action(action: NewAction, *, now: datetime) -> None:
    """An act that its asker performs in the same transaction: open for as long as the transaction lasts."""
    OperatorAction.objects.create(
        id=action.id,
        instance_id=action.instance_id,
        task_id=action.task_id,
        act=action.act,
        payload=dict(action.payload),
        reason=action.reason,
        actor=action.actor,
        source=action.source,
        request_id=action.request_id,
        address=action.address,
        state=OperatorAction.State.ASKED,
        open_key=f"{action.instance_id}:{action.task_id}:{action.act}",
        asked_at=now,
    )
