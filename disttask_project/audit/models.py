from __future__ import annotations

from typing import Any, ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from disttask_project.fields import IdField, JSONTextField
from disttask_project.kernel.ids import new_id


class AuditEntry(models.Model):
    """Who did what to which object, and why. Append-only: no service updates or deletes a row."""

    id = IdField(primary_key=True, max_length=36, default=new_id, editable=False)
    at = models.DateTimeField(_("time"))
    actor = models.CharField(_("actor"), max_length=150)
    source = models.CharField(_("source"), max_length=16)
    act = models.CharField(_("act"), max_length=64)
    object_type = models.CharField(_("object type"), max_length=64)
    object_id = IdField(_("object"), max_length=160)
    reason = models.TextField(_("reason"), blank=True, default="")
    before = JSONTextField(_("before"), null=True)
    after = JSONTextField(_("after"), null=True)
    request_id = models.CharField(_("request ID"), max_length=64, blank=True, default="")
    address = models.CharField(_("address"), max_length=64, blank=True, default="")

    class Meta:
        verbose_name = _("operation")
        verbose_name_plural = _("operations log")
        ordering: ClassVar[Any] = ["-at", "-id"]
        indexes: ClassVar[Any] = [
            models.Index(fields=["object_type", "object_id", "at"], name="audit_object_at"),
            models.Index(fields=["actor", "at"], name="audit_actor_at"),
            models.Index(fields=["at"], name="audit_at"),
        ]
        default_permissions = ("view",)

    def __str__(self) -> str:
        return f"{self.act} {self.object_type} {self.object_id}"
