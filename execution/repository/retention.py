"""Removing what has ended long ago, with all that hangs on it, a batch a transaction."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db import models, transaction
from django.db.models import Q

from disttask_project.access.models import ApiToken
from execution.models import EngineSession, Instance, LocalMessage

# Ended for good: nothing is due, nobody has it, no person is asked to look.
ENDED = Q(closed=True, needs_attention=False, wake_at=None, owner="")


def ended_before(moment: datetime) -> models.QuerySet[Instance]:
    """Closed instances that ended before `moment`, the oldest first."""
    return Instance.objects.filter(ENDED, completed_at__lt=moment, created_at__lt=moment).order_by("created_at", "pk")


def remove_instances(ids: Sequence[str]) -> int:
    """Remove these instances and every row that refers to them, of upper apps too; those reopened meanwhile stay."""
    with transaction.atomic():
        # The condition again, with the rows locked where the store can: a batch was chosen a moment ago.
        still = list(Instance.objects.filter(ENDED, pk__in=list(ids)).order_by("pk").values_list("pk", flat=True))
        for relation in Instance._meta.related_objects:
            model: Any = relation.related_model
            model._base_manager.filter(**{f"{relation.field.name}__in": still}).delete()
        Instance.objects.filter(pk__in=still).delete()
    return len(still)


def remove_leftovers(moment: datetime, *, now: datetime) -> dict[str, int]:
    """Sessions that ended, messages of the local queue, tokens that have expired."""
    with transaction.atomic():
        return {
            "sessions": EngineSession.objects.filter(heartbeat_at__lt=moment).delete()[0],
            "messages": LocalMessage.objects.filter(created_at__lt=moment, deliver_at__lt=moment).delete()[0],
            "tokens": ApiToken.objects.filter(expiry__lt=now).delete()[0],
        }
