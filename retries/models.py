from __future__ import annotations

from typing import Any, ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from disttask_project.fields import IdField, JSONTextField
from disttask_project.kernel.ids import new_id
from retries.domain import states


class ExceptionRecord(models.Model):
    """What failed and where it stands. One row an instance, task and run; a new occurrence reopens it.

    Written by the engine's journal in the same group as the failure itself (architecture 4.8), so the key is
    derived from instance, task and run: an upsert names its row without reading it.
    """

    class State(models.TextChoices):
        OPEN = states.ExceptionState.OPEN.value, _("open")
        ACKNOWLEDGED = states.ExceptionState.ACKNOWLEDGED.value, _("acknowledged")
        RETRYING = states.ExceptionState.RETRYING.value, _("retrying")
        RESOLVED = states.ExceptionState.RESOLVED.value, _("resolved")
        IGNORED = states.ExceptionState.IGNORED.value, _("ignored")

    class Resolution(models.TextChoices):
        FIXED_BY_RETRY = states.Resolution.FIXED_BY_RETRY.value, _("fixed by a retry")
        FIXED_OUTSIDE = states.Resolution.FIXED_OUTSIDE.value, _("fixed outside")
        DUPLICATE = states.Resolution.DUPLICATE.value, _("duplicate")
        EXPECTED = states.Resolution.EXPECTED.value, _("expected")
        WONT_FIX = states.Resolution.WONT_FIX.value, _("will not be fixed")

    id = IdField(primary_key=True, max_length=36, editable=False)
    instance = models.ForeignKey(
        "execution.Instance",
        verbose_name=_("instance"),
        on_delete=models.CASCADE,
        related_name="exceptions",
        db_constraint=False,
    )
    flow = models.ForeignKey(
        "flows.Flow", verbose_name=_("flow"), on_delete=models.PROTECT, related_name="+", db_constraint=False
    )
    flow_name = models.CharField(_("flow name"), max_length=255)
    task_id = IdField(_("task"), max_length=128)
    task_name = models.CharField(_("task type"), max_length=64)
    run = models.PositiveIntegerField(default=1)
    error_type = models.CharField(_("error type"), max_length=64)
    error_code = models.CharField(_("error code"), max_length=128)
    error_message = models.TextField(_("error message"))
    stack_trace = models.TextField(_("stack trace"), blank=True, default="")
    retry_strategy = models.CharField(_("retry strategy"), max_length=16)
    retry_times = models.PositiveIntegerField(_("retries made"), default=0)
    retry_max = models.PositiveIntegerField(_("retries at most"), default=0)
    retry_interval = models.FloatField(_("retry interval (s)"), default=0)
    retry_next_at = models.DateTimeField(_("next retry at"), null=True)
    state = models.CharField(_("state"), max_length=16, choices=State.choices, default=State.OPEN)
    handled = models.BooleanField(_("handled"), default=False)
    handled_by = models.CharField(_("handled by"), max_length=150, blank=True, default="")
    handled_at = models.DateTimeField(_("handled at"), null=True)
    handled_remark = models.TextField(_("remark"), blank=True, default="")
    resolution = models.CharField(
        _("resolution"), max_length=32, choices=Resolution, blank=True, default="", db_default=""
    )
    runbook = models.CharField(_("runbook"), max_length=2048, blank=True, default="", db_default="")
    # A person's; the journal names neither column, so that both outlive a new occurrence.
    assignee = models.CharField(_("assignee"), max_length=150, blank=True, default="", db_default="")
    due_at = models.DateTimeField(_("due"), null=True)
    fingerprint = IdField(_("fingerprint"), max_length=32)
    details = JSONTextField(_("details"), null=True)
    occurred_at = models.DateTimeField(_("occurred at"))
    updated_at = models.DateTimeField(_("updated at"))

    class Meta:
        verbose_name = _("exception")
        verbose_name_plural = _("exceptions")
        ordering: ClassVar[Any] = ["-occurred_at", "-id"]
        indexes: ClassVar[Any] = [
            models.Index(fields=["instance", "task_id"], name="exc_instance_task"),
            models.Index(fields=["state", "occurred_at"], name="exc_state_occurred"),
            models.Index(fields=["fingerprint", "state"], name="exc_fingerprint_state"),
            models.Index(fields=["flow", "occurred_at"], name="exc_flow_occurred"),
            models.Index(fields=["error_code", "occurred_at"], name="exc_code_occurred"),
            models.Index(fields=["occurred_at"], name="exc_occurred"),
        ]
        permissions: ClassVar[Any] = [("handle_exception", _("Can handle exceptions"))]
        default_permissions = ("view",)

    def __str__(self) -> str:
        return f"{self.error_code} {self.instance_id}/{self.task_id}"


class ExceptionComment(models.Model):
    """What somebody wrote beside an exception. Append-only; it goes with its record."""

    id = IdField(primary_key=True, max_length=36, default=new_id, editable=False)
    exception = models.ForeignKey(
        ExceptionRecord,
        verbose_name=_("exception"),
        on_delete=models.CASCADE,
        related_name="comments",
        db_constraint=False,
        db_index=False,  # `exc_comment_at` begins with it
    )
    at = models.DateTimeField(_("time"))
    author = models.CharField(_("author"), max_length=150)
    text = models.TextField(_("text"))

    class Meta:
        verbose_name = _("comment")
        verbose_name_plural = _("comments")
        ordering: ClassVar[Any] = ["at", "id"]
        indexes: ClassVar[Any] = [models.Index(fields=["exception", "at"], name="exc_comment_at")]
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.author}: {self.text[:40]}"
