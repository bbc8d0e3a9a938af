"""The baseline's rows: an instance, its tasks, its log."""

from __future__ import annotations

from typing import ClassVar

from django.db import models


class Run(models.Model):
    objects: ClassVar[models.Manager[Run]] = models.Manager()

    workload = models.CharField(max_length=64)
    status = models.CharField(max_length=16, db_index=True, default="new")
    params = models.TextField(default="{}")
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        app_label = "naive"

    def __str__(self) -> str:
        return f"{self.workload} {self.pk}"


class Step(models.Model):
    objects: ClassVar[models.Manager[Step]] = models.Manager()

    run = models.ForeignKey(Run, on_delete=models.CASCADE)
    name = models.CharField(max_length=64)
    number = models.IntegerField()
    status = models.CharField(max_length=16)
    result = models.TextField(default="")
    started_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        app_label = "naive"

    def __str__(self) -> str:
        return self.name


class Entry(models.Model):
    objects: ClassVar[models.Manager[Entry]] = models.Manager()

    run = models.ForeignKey(Run, on_delete=models.CASCADE)
    step = models.ForeignKey(Step, on_delete=models.CASCADE)
    action = models.CharField(max_length=32)
    body = models.TextField(default="")
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        app_label = "naive"

    def __str__(self) -> str:
        return self.action
