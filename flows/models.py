from __future__ import annotations

from typing import Any, ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from disttask_project.fields import IdField, JSONTextField
from disttask_project.kernel.ids import new_id


class Flow(models.Model):
    """A named flow; what it does is in its versions. Deleting is soft: instances keep their flow."""

    id = IdField(primary_key=True, max_length=36, default=new_id, editable=False)
    name = IdField(_("name"), max_length=255)
    # The name while the flow lives, NULL once deleted: a deleted flow's name may be used again (on every store,
    # which partial unique indexes would not give).
    live_name = IdField(max_length=255, null=True, unique=True, editable=False)
    description = models.TextField(_("description"), blank=True, default="")
    flow_type = models.CharField(_("type"), max_length=64, blank=True, default="")
    is_active = models.BooleanField(_("active"), default=True)
    current = models.ForeignKey(
        "flows.FlowVersion",
        verbose_name=_("current version"),
        null=True,
        on_delete=models.PROTECT,
        related_name="+",
        editable=False,
    )
    latest_number = models.PositiveIntegerField(default=0, editable=False)
    created_at = models.DateTimeField(_("created at"))
    updated_at = models.DateTimeField(_("updated at"))
    deleted_at = models.DateTimeField(null=True, editable=False)
    create_user = models.CharField(_("created by"), max_length=150, blank=True, default="")
    updated_user = models.CharField(_("updated by"), max_length=150, blank=True, default="")

    class Meta:
        verbose_name = _("flow")
        verbose_name_plural = _("flows")
        ordering: ClassVar[Any] = ["-updated_at", "-id"]
        indexes: ClassVar[Any] = [
            models.Index(fields=["deleted_at", "updated_at"], name="flow_live_updated"),
            models.Index(fields=["name"], name="flow_name"),
        ]
        permissions: ClassVar[Any] = [
            ("edit_flow", _("Can edit flows")),
            ("publish_flow", _("Can publish, activate and delete flows")),
        ]
        default_permissions = ("view",)

    def __str__(self) -> str:
        return str(self.name)


class FlowVersion(models.Model):
    """One immutable definition. `compiled` pins the catalog entries and retry defaults it was saved with."""

    class State(models.TextChoices):
        DRAFT = "draft", _("draft")
        PUBLISHED = "published", _("published")

    id = IdField(primary_key=True, max_length=36, default=new_id, editable=False)
    flow = models.ForeignKey(Flow, verbose_name=_("flow"), on_delete=models.PROTECT, related_name="versions")
    number = models.PositiveIntegerField(_("version"))
    state = models.CharField(_("state"), max_length=16, choices=State.choices, default=State.PUBLISHED)
    definition = JSONTextField(_("definition"))
    compiled = JSONTextField(editable=False)
    note = models.TextField(_("note"), blank=True, default="")
    created_at = models.DateTimeField(_("created at"))
    create_user = models.CharField(_("created by"), max_length=150, blank=True, default="")
    published_at = models.DateTimeField(_("published at"), null=True)
    published_user = models.CharField(_("published by"), max_length=150, blank=True, default="")

    class Meta:
        verbose_name = _("flow version")
        verbose_name_plural = _("flow versions")
        ordering: ClassVar[Any] = ["flow", "-number"]
        constraints: ClassVar[Any] = [
            models.UniqueConstraint(fields=["flow", "number"], name="flowversion_flow_number"),
        ]
        default_permissions = ("view",)

    def __str__(self) -> str:
        return f"{self.flow_id} v{self.number}"


class TaskDefinition(models.Model):
    """A catalog entry: a task under a name of its own. Code entries are synced from the registry, read-only."""

    name = IdField(_("name"), primary_key=True, max_length=64)
    type = models.CharField(_("type"), max_length=64)
    description = models.TextField(_("description"), blank=True, default="")
    config = JSONTextField(_("config"), default=dict)
    input_fields = JSONTextField(_("input fields"), default=list)
    example = JSONTextField(_("example"), null=True)  # an input to try it with; never sent by itself
    is_code = models.BooleanField(_("from code"), default=False, editable=False)
    created_at = models.DateTimeField(_("created at"))
    updated_at = models.DateTimeField(_("updated at"))
    updated_user = models.CharField(_("updated by"), max_length=150, blank=True, default="")

    class Meta:
        verbose_name = _("task type")
        verbose_name_plural = _("task types")
        ordering: ClassVar[Any] = ["name"]
        permissions: ClassVar[Any] = [("edit_task_definition", _("Can edit the task catalog"))]
        default_permissions = ("view",)

    def __str__(self) -> str:
        return str(self.name)


class DescriptorSet(models.Model):
    """Descriptors of gRPC services, kept under the hash of their bytes: a task may name the very set it was made for.

    `services` is what they describe: [{name, methods: [{name, input, output, streams}]}]. `put_at` says which of
    several sets with one service counts: the one put in last, also where it was there before.
    """

    hash = IdField(_("hash"), primary_key=True, max_length=64)
    name = models.CharField(_("name"), max_length=255)
    content = models.BinaryField(editable=False)
    size = models.PositiveIntegerField(_("size"))
    services = JSONTextField(_("services"), default=list)
    put_at = models.DateTimeField(_("put in at"))
    put_user = models.CharField(_("put in by"), max_length=150, blank=True, default="")

    class Meta:
        verbose_name = _("descriptor set")
        verbose_name_plural = _("descriptor sets")
        ordering: ClassVar[Any] = ["-put_at", "hash"]
        indexes: ClassVar[Any] = [models.Index(fields=["put_at"], name="descriptorset_put_at")]
        default_permissions = ("view",)

    def __str__(self) -> str:
        return f"{self.name} {self.hash[:12]}"
