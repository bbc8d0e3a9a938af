from __future__ import annotations

from typing import Any, ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from disttask_project.fields import IdField


class StoredSecret(models.Model):
    """A value that tasks name by `${secret:NAME}`. Only its encrypted form is ever stored, and none is shown again."""

    name = IdField(_("name"), primary_key=True, max_length=64)
    sealed = models.TextField(editable=False)
    note = models.CharField(_("note"), max_length=255, blank=True, default="")
    created_at = models.DateTimeField(_("created at"))
    updated_at = models.DateTimeField(_("updated at"))
    updated_user = models.CharField(_("updated by"), max_length=150, blank=True, default="")

    class Meta:
        verbose_name = _("secret")
        verbose_name_plural = _("secrets")
        ordering: ClassVar[Any] = ["name"]
        permissions: ClassVar[Any] = [("edit_secret", _("Can set and remove secrets"))]
        default_permissions = ("view",)

    def __str__(self) -> str:
        return str(self.name)
