"""The outbox of failure flows: written in the group that ends an instance, emptied by `services.following`."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models

from disttask_project.fields import IdField, JSONTextField


class FailureStart(models.Model):
    """An instance has failed for good, or was undone, and its failure flow is to be started, once."""

    instance = models.OneToOneField(
        "execution.Instance",
        primary_key=True,
        on_delete=models.CASCADE,
        related_name="failure_start",
        db_constraint=False,
    )
    flow_name = models.CharField(max_length=255)
    params = JSONTextField(null=True)  # NULL where the flow's expressions could not make them
    child_id = IdField(max_length=64)
    state = models.CharField(max_length=16)  # due, started, refused
    depth = models.PositiveSmallIntegerField()  # how many failure flows led here
    tries = models.PositiveIntegerField()
    code = models.CharField(max_length=64, blank=True)
    message = models.TextField(blank=True)
    next_at = models.DateTimeField(null=True)
    asked_at = models.DateTimeField()

    class Meta:
        indexes: ClassVar[Any] = [
            models.Index(fields=["state", "next_at"], name="failure_state_next"),
            models.Index(fields=["child_id"], name="failure_child"),
        ]
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.instance_id} {self.child_id}"
