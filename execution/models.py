"""Tables of the engine. Only `execution/stores` writes a status (guarded by fence and rev); `services` start
instances and ask acts through it. Foreign keys to Instance carry no database constraint: every row is written
in a transaction that holds the instance's row, and a constraint would cost a look-up a row on the hot path.
"""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from disttask_project.fields import IdField, JSONTextField
from disttask_project.kernel.ids import new_id
from execution import failure_models, target_models  # noqa: F401  Django finds models here
from execution.reconciler import Reconciler as Reconciler  # noqa: PLC0414  a model is known by its app


class Instance(models.Model):
    """One run of a flow: a distributed transaction. Its id comes from the caller and is the idempotency key."""

    id = IdField(_("instance ID"), primary_key=True, max_length=64)
    flow = models.ForeignKey(
        "flows.Flow", verbose_name=_("flow"), on_delete=models.PROTECT, related_name="+", db_index=False
    )
    version = models.ForeignKey(
        "flows.FlowVersion", verbose_name=_("version"), on_delete=models.PROTECT, related_name="+"
    )
    status = models.CharField(_("status"), max_length=16, default="pending")
    needs_attention = models.BooleanField(_("needs attention"), default=False)
    closed = models.BooleanField(_("closed"), default=False)
    params = JSONTextField(_("parameters"), default=dict)
    output = JSONTextField(_("output"), null=True)
    # {type, code, message, task_id} of the failure that decided the status.
    error = JSONTextField(_("error"), null=True)
    digest = models.CharField(max_length=64, editable=False)
    # Ownership and concurrency (architecture 4.4-4.6).
    fence = models.BigIntegerField(default=0, editable=False)
    owner = models.CharField(max_length=64, blank=True, default="", editable=False)
    lease_until = models.DateTimeField(null=True, editable=False)
    rev = models.BigIntegerField(default=0, editable=False)
    seq = models.BigIntegerField(default=0, editable=False)  # last ExecutionLog.seq
    inbox = models.BigIntegerField(default=0, editable=False)  # operator acts asked so far
    strikes = models.SmallIntegerField(default=0, editable=False)
    # When somebody must look next: due time, or lease end while claimed; NULL when ended or held.
    wake_at = models.DateTimeField(null=True, editable=False)
    deadline_at = models.DateTimeField(_("deadline"), null=True, editable=False)
    # Where `resume` returns to: the status before the pause.
    paused_from = models.CharField(max_length=16, blank=True, default="", editable=False)
    created_at = models.DateTimeField(_("created at"))
    updated_at = models.DateTimeField(_("updated at"))
    started_at = models.DateTimeField(_("started at"), null=True)
    completed_at = models.DateTimeField(_("completed at"), null=True)
    create_user = models.CharField(_("started by"), max_length=150, blank=True, default="")
    request_id = models.CharField(max_length=64, blank=True, default="", editable=False)

    class Meta:
        verbose_name = _("instance")
        verbose_name_plural = _("instances")
        ordering: ClassVar[Any] = ["-created_at", "-id"]
        indexes: ClassVar[Any] = [
            models.Index(fields=["flow", "wake_at"], name="inst_flow_wake"),  # the claim
            models.Index(fields=["created_at", "id"], name="inst_created"),
            models.Index(fields=["flow", "created_at"], name="inst_flow_created"),
            models.Index(fields=["status", "created_at"], name="inst_status_created"),
            models.Index(fields=["needs_attention", "created_at"], name="inst_attention_created"),
        ]
        permissions: ClassVar[Any] = [
            ("start_instance", _("Can start instances")),
            ("retry_instance", _("Can retry")),
            ("edit_input", _("Can retry with changed input or config")),
            ("skip_task", _("Can skip tasks")),
            ("mark_task_success", _("Can mark tasks as successful")),
            ("cancel_instance", _("Can cancel, pause and resume instances")),
            ("compensate_instance", _("Can have instances undone")),
            ("try_task", _("Can try task types with real calls")),
        ]
        default_permissions = ("view",)

    def __str__(self) -> str:
        return str(self.id)


class InstanceTag(models.Model):
    """A searchable business attribute of an instance."""

    id = IdField(primary_key=True, max_length=140, editable=False)  # {instance}:{key}
    instance = models.ForeignKey(Instance, on_delete=models.CASCADE, related_name="tag_rows", db_constraint=False)
    key = IdField(max_length=64)
    value = IdField(max_length=255)

    class Meta:
        indexes: ClassVar[Any] = [models.Index(fields=["key", "value", "instance"], name="tag_key_value")]
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.key}={self.value}"


class Task(models.Model):
    """A task of an instance, written when it first leaves `pending`; readers overlay the definition."""

    id = IdField(primary_key=True, max_length=200, editable=False)  # {instance}:{task_id}
    # No index of its own: the unique one begins with it.
    instance = models.ForeignKey(
        Instance, on_delete=models.CASCADE, related_name="tasks", db_constraint=False, db_index=False
    )
    task_id = IdField(max_length=128)
    task_name = models.CharField(max_length=64)
    name = models.CharField(max_length=255)
    type = models.CharField(max_length=64)
    status = models.CharField(max_length=16)
    skip_reason = models.CharField(max_length=16, blank=True, default="")
    config = JSONTextField(null=True)  # resolved, secrets still by reference; only once it has started
    input_data = JSONTextField(null=True)
    input_override = JSONTextField(null=True)  # an operator's change of input and config at a retry
    output_data = JSONTextField(null=True)  # NULL where it is the result itself
    result = JSONTextField(null=True)
    error_type = models.CharField(max_length=64, blank=True, default="")
    error_code = models.CharField(max_length=128, blank=True, default="")
    error_message = models.TextField(blank=True, default="")
    error_stack = models.TextField(blank=True, default="")
    error_final = models.BooleanField(default=False)
    attempt = models.PositiveIntegerField(default=0)  # attempts begun, over all runs
    run = models.PositiveIntegerField(default=1)
    retries = models.PositiveIntegerField(default=0)  # retries spent in this run
    max_retry = models.PositiveIntegerField(default=0)
    next_at = models.DateTimeField(null=True)
    first_failed_at = models.DateTimeField(null=True)  # of this run: where `budget_seconds` counts from
    started_at = models.DateTimeField(null=True)
    completed_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("task")
        verbose_name_plural = _("tasks")
        constraints: ClassVar[Any] = [
            models.UniqueConstraint(fields=["instance", "task_id"], name="task_instance_task"),
        ]
        default_permissions = ()

    def __str__(self) -> str:
        return str(self.id)


class Attempt(models.Model):
    """One try of a task, committed before its call leaves (so no effect is without its row)."""

    id = IdField(primary_key=True, max_length=220, editable=False)  # {instance}:{task_id}:{number}
    # No index of its own: the unique one begins with it.
    instance = models.ForeignKey(
        Instance, on_delete=models.CASCADE, related_name="attempts", db_constraint=False, db_index=False
    )
    task_id = IdField(max_length=128)
    number = models.PositiveIntegerField()
    run = models.PositiveIntegerField(default=1)
    status = models.CharField(max_length=16)  # started, success, failed, unknown
    fence = models.BigIntegerField()
    worker = models.CharField(max_length=64)
    key = IdField(max_length=255)  # the idempotency key that was sent
    request_digest = models.CharField(max_length=64)
    request = JSONTextField(null=True)  # {config, input}: what was sent, secrets by reference
    response = JSONTextField(null=True)
    error_type = models.CharField(max_length=64, blank=True, default="")
    error_code = models.CharField(max_length=128, blank=True, default="")
    error_message = models.TextField(blank=True, default="")
    error_stack = models.TextField(blank=True, default="")
    stale = JSONTextField(null=True)  # an answer that came after the attempt was given up; never applied
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    duration_ms = models.FloatField(null=True)

    class Meta:
        verbose_name = _("attempt")
        verbose_name_plural = _("attempts")
        constraints: ClassVar[Any] = [
            models.UniqueConstraint(fields=["instance", "task_id", "number"], name="attempt_instance_task_number"),
        ]
        indexes: ClassVar[Any] = [models.Index(fields=["key"], name="attempt_key")]
        default_permissions = ()

    def __str__(self) -> str:
        return str(self.id)


class ExecutionLog(models.Model):
    """The journal of an instance: append only, gap-free by `seq`; a row for every change of a status."""

    id = IdField(primary_key=True, max_length=90, editable=False)  # {instance}:{seq}
    instance = models.ForeignKey(
        Instance, on_delete=models.CASCADE, related_name="logs", db_constraint=False, db_index=False
    )
    seq = models.BigIntegerField()
    task_id = IdField(max_length=128, blank=True, default="")
    action = models.CharField(max_length=32)
    message = models.TextField(blank=True, default="")
    details = JSONTextField(null=True)
    created_at = models.DateTimeField()

    class Meta:
        verbose_name = _("execution log row")
        verbose_name_plural = _("execution log")
        ordering: ClassVar[Any] = ["instance", "seq"]
        constraints: ClassVar[Any] = [
            models.UniqueConstraint(fields=["instance", "seq"], name="log_instance_seq"),
        ]
        default_permissions = ()

    def __str__(self) -> str:
        return str(self.id)


class OperatorAction(models.Model):
    """An act a person asked for, done or refused. At most one is open for an instance, task and act."""

    class State(models.TextChoices):
        ASKED = "asked", _("asked")
        DONE = "done", _("done")
        REFUSED = "refused", _("refused")

    id = IdField(primary_key=True, max_length=36, default=new_id, editable=False)
    instance = models.ForeignKey(Instance, on_delete=models.CASCADE, related_name="actions", db_constraint=False)
    task_id = IdField(max_length=128, blank=True, default="")
    act = models.CharField(max_length=32)
    payload = JSONTextField(null=True)
    reason = models.TextField(blank=True, default="")
    actor = models.CharField(max_length=150)
    source = models.CharField(max_length=16)
    request_id = models.CharField(max_length=64, blank=True, default="")
    address = models.CharField(max_length=64, blank=True, default="")
    state = models.CharField(max_length=16, choices=State.choices, default=State.ASKED)
    # {instance}:{task_id}:{act} while asked, NULL afterwards: one open act each, on every store.
    open_key = IdField(max_length=240, null=True, unique=True, editable=False)
    verdict = JSONTextField(null=True)  # {message, before, after} or {code, message}
    asked_at = models.DateTimeField()
    decided_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("operator action")
        verbose_name_plural = _("operator actions")
        ordering: ClassVar[Any] = ["-asked_at", "-id"]
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.act} {self.instance_id}"


class EngineSession(models.Model):
    """A driver at work: its heartbeat tells starters not to ring, and the console who is alive."""

    id = IdField(primary_key=True, max_length=64, editable=False)  # the `owner` of claimed instances
    host = models.CharField(max_length=255)
    pid = models.PositiveIntegerField()
    kind = models.CharField(max_length=16)  # cluster, engine
    state = models.CharField(max_length=16)  # ready (a cluster without a session), running, draining, ended
    in_flight = models.PositiveIntegerField(default=0)
    started_at = models.DateTimeField()
    heartbeat_at = models.DateTimeField()

    class Meta:
        verbose_name = _("worker")
        verbose_name_plural = _("workers")
        ordering: ClassVar[Any] = ["-heartbeat_at"]
        indexes: ClassVar[Any] = [models.Index(fields=["heartbeat_at"], name="session_heartbeat")]
        default_permissions = ("view",)

    def __str__(self) -> str:
        return str(self.id)


class LocalMessage(models.Model):
    """A message of the `local` mq backend: the embedded default's topic, readable in the console."""

    id = IdField(primary_key=True, max_length=36, default=new_id, editable=False)
    topic = IdField(_("topic"), max_length=255)
    tag = models.CharField(_("tag"), max_length=255, blank=True, default="")
    # The idempotency key: the same run of a task sends one message, however often it is tried.
    idempotency_key = IdField(_("idempotency key"), max_length=255, unique=True)
    key = models.CharField(_("key"), max_length=255, blank=True, default="")
    properties = JSONTextField(_("properties"), default=dict)
    body = models.TextField(_("body"))
    deliver_at = models.DateTimeField(_("deliver at"))
    created_at = models.DateTimeField(_("created at"))

    class Meta:
        verbose_name = _("local message")
        verbose_name_plural = _("local messages")
        ordering: ClassVar[Any] = ["-created_at", "-id"]
        indexes: ClassVar[Any] = [models.Index(fields=["topic", "created_at"], name="localmsg_topic_created")]
        default_permissions = ("view",)

    def __str__(self) -> str:
        return f"{self.topic} {self.id}"
