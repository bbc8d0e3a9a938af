"""A table of the engine that only the reconciler uses; `models` names it."""

from __future__ import annotations

from django.db import models

from disttask_project.fields import IdField, JSONTextField


class Reconciler(models.Model):
    """Where the reconciler's walk stands, for all hosts: one row."""

    id = IdField(primary_key=True, max_length=16, editable=False)
    looked_at = models.DateTimeField()
    place = JSONTextField(null=True)  # of the walk over all instances, and over those that are open
    open_place = JSONTextField(null=True)
    looked = models.BigIntegerField(default=0)
    healed = models.BigIntegerField(default=0)
    rounds = models.BigIntegerField(default=0)
    recent = JSONTextField(null=True)  # what was mended last: {at, instance_id, kinds, task_ids}

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return str(self.id)
