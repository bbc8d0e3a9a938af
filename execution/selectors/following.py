"""Which failure flow an instance led to, and which instance led to it."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Q

from execution.failure_models import FailureStart


@dataclass(frozen=True, slots=True, kw_only=True)
class Links:
    """`start`: what was asked for as the instance ended; `failure_of`: the instance that this one was started for."""

    start: FailureStart | None = None
    failure_of: str = ""


def links_of(instance_id: str) -> Links:
    rows = list(FailureStart.objects.filter(Q(pk=instance_id) | Q(child_id=instance_id))[:2])
    return Links(
        start=next((row for row in rows if row.pk == instance_id), None),
        # A stranger may have taken the id that was meant for it: then it was started for nobody.
        failure_of=next((row.pk for row in rows if row.child_id == instance_id and row.state == "started"), ""),
    )
