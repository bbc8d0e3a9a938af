"""Tables of the targets that tasks call: limits and breakers, what each driver has of them, who waits for them."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from disttask_project.fields import IdField, JSONTextField


class Target(models.Model):
    """A place that calls go to: http host and port, rpc service, mq topic, db connection. Made at its first call."""

    id = IdField(_("target"), primary_key=True, max_length=160, editable=False)  # {type}:{address}
    # None: as the configuration says; 0: no limit.
    concurrency = models.PositiveIntegerField(_("calls at a time"), null=True)
    rate = models.FloatField(_("starts a second"), null=True)
    state = models.CharField(_("state"), max_length=16, default="closed")  # closed, open, half_open
    changed_at = models.DateTimeField(_("since"), null=True)
    open_until = models.DateTimeField(_("next probe"), null=True)
    opens = models.PositiveIntegerField(default=0)  # openings in a row
    forced = models.CharField(_("forced"), max_length=16, blank=True, default="")  # "", open, closed
    forced_until = models.DateTimeField(_("until"), null=True)
    forced_by = models.CharField(_("by"), max_length=150, blank=True, default="")
    reason = models.TextField(_("reason"), blank=True, default="")
    next_start_at = models.DateTimeField(null=True)  # under a rate: the first moment that no driver has yet
    # Drivers must look at it: it is limited, not closed, comes back by a ramp, or has parked work.
    acts = models.BooleanField(default=False)
    rev = models.BigIntegerField(default=0)
    seen_at = models.DateTimeField(_("last call"))
    created_at = models.DateTimeField(_("first call"))

    class Meta:
        verbose_name = _("target")
        verbose_name_plural = _("targets")
        ordering: ClassVar[Any] = ["id"]
        indexes: ClassVar[Any] = [
            models.Index(fields=["acts"], name="target_acts"),
            models.Index(fields=["seen_at"], name="target_seen"),
        ]
        permissions: ClassVar[Any] = [("operate_target", _("Can open and close breakers and set limits"))]
        default_permissions = ("view",)

    def __str__(self) -> str:
        return str(self.id)


class TargetShare(models.Model):
    """What one driver has of a target: its permits, and how the target has answered it lately."""

    id = IdField(primary_key=True, max_length=240, editable=False)  # {target}|{owner}
    target_id = IdField(max_length=160)
    owner = IdField(max_length=64)
    permits = models.PositiveIntegerField(default=0)
    want = models.PositiveIntegerField(default=0)  # calls it would have in flight
    until = models.DateTimeField()  # the permits count until then
    window = JSONTextField(null=True)  # `domain.health.Window.plain`
    updated_at = models.DateTimeField()

    class Meta:
        indexes: ClassVar[Any] = [
            models.Index(fields=["target_id", "updated_at"], name="share_target_updated"),
            models.Index(fields=["updated_at"], name="share_updated"),
        ]
        default_permissions = ()

    def __str__(self) -> str:
        return str(self.id)


class Parked(models.Model):
    """An instance that was given back because all it could start waits for a target.

    The row counts while `until` is the instance's `wake_at`; once that time has come it means nothing.
    """

    instance = models.OneToOneField(
        "execution.Instance", primary_key=True, on_delete=models.CASCADE, related_name="parked", db_constraint=False
    )
    target_id = IdField(max_length=160)
    task_id = IdField(max_length=128)
    code = models.CharField(max_length=16)  # breaker, limit
    until = models.DateTimeField()

    class Meta:
        indexes: ClassVar[Any] = [
            models.Index(fields=["target_id", "until"], name="parked_target_until"),
            models.Index(fields=["until"], name="parked_until"),
        ]
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.instance_id} {self.target_id}"
