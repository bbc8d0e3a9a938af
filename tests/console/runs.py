"""One run written step by step, as the engine leaves its rows."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from disttask_project.kernel.ids import derived_id
from execution.models import Attempt, ExecutionLog, Instance, InstanceTag, Task
from flows.models import Flow
from retries.domain.fingerprint import fingerprint
from retries.models import ExceptionRecord

DEFINITION: dict[str, Any] = {
    "name": "demo-order",
    "description": "下单：锁库存、建订单、扣款、通知",
    "tags": {"order_no": "${params.order_no}"},
    "tasks": [
        {
            "id": "reserve",
            "task_name": "http_request",
            "description": "锁定库存",
            "config": {"url": "http://inventory.example/reserve"},
            "retry": {"strategy": "auto", "max_attempts": 3, "interval": 5},
        },
        {
            "id": "create_order",
            "task_name": "http_request",
            "description": "创建订单",
            "config": {"url": "http://orders.example/orders"},
        },
        {
            "id": "deduct",
            "task_name": "http_request",
            "description": "扣款",
            "depends_on": ["reserve", "create_order"],
            "config": {
                "url": "http://payment.example/deduct",
                "headers": {"Authorization": "Bearer ${secret:PAYMENT}"},
            },
            "retry": {"strategy": "auto", "max_attempts": 3, "interval": 5},
        },
        {
            "id": "notify",
            "task_name": "http_request",
            "description": "通知用户",
            "depends_on": ["deduct"],
            "config": {"url": "http://notify.example/sms"},
        },
    ],
}


@dataclass(slots=True)
class RunMaker:
    """Writes one run step by step; times go on from `start`."""

    flow: Flow
    instance_id: str
    start: datetime = field(default_factory=lambda: timezone.now() - timedelta(minutes=12))
    params: dict[str, Any] = field(default_factory=dict)
    seq: int = 0
    instance: Instance = field(init=False)
    clock: datetime = field(init=False)

    def __post_init__(self) -> None:
        assert self.flow.current is not None
        self.clock = self.start
        self.instance = Instance.objects.create(
            id=self.instance_id,
            flow=self.flow,
            version=self.flow.current,
            status="running",
            params=self.params or {"order_no": self.instance_id, "amount": "128.50", "token": "do-not-show-me"},
            digest="0" * 64,
            created_at=self.start,
            updated_at=self.start,
            started_at=self.start,
            create_user="shop-api",
        )
        InstanceTag.objects.create(
            id=f"{self.instance_id}:order_no",
            instance=self.instance,
            key="order_no",
            value=f"SO{self.instance_id[-6:]}",
        )
        self.log("start", "", "The instance has started.")

    def log(self, action: str, task_id: str, message: str) -> None:
        self.seq += 1
        ExecutionLog.objects.create(
            id=f"{self.instance_id}:{self.seq}",
            instance=self.instance,
            seq=self.seq,
            task_id=task_id,
            action=action,
            message=message,
            created_at=self.clock,
        )
        self.instance.rev = self.instance.seq = self.seq

    def attempt(
        self,
        task_id: str,
        status: str = "success",
        *,
        millis: float = 180,
        code: str = "",
        message: str = "",
        response: Any = None,
        task_status: str = "",
        max_retry: int = 3,
        next_in: float | None = None,
        final: bool = True,
    ) -> Task:
        """One more attempt of a task, and how the task stands after it."""
        task = Task.objects.filter(pk=f"{self.instance_id}:{task_id}").first() or self._new_task(task_id, max_retry)
        number = task.attempt + 1
        began, self.clock = self.clock, self.clock + timedelta(milliseconds=millis)
        is_open = status == "started"
        Attempt.objects.create(
            id=f"{task.pk}:{number}",
            instance=self.instance,
            task_id=task_id,
            number=number,
            status=status,
            fence=1,
            worker="host-a:4711",
            key=task.pk,
            request_digest="0" * 64,
            request={"config": task.config, "input": task.input_data},
            response=response if response is not None else {"status": 200, "body": {"code": 0}},
            error_type="TaskFailed" if code else "",
            error_code=code,
            error_message=message,
            started_at=began,
            ended_at=None if is_open else self.clock,
            duration_ms=None if is_open else millis,
        )
        self._settle(
            task,
            number=number,
            status=status,
            task_status=task_status,
            error=(code, message),
            next_in=next_in,
            final=final,
        )
        self.log("success" if status == "success" else "failed" if code else "start", task_id, message)
        return task

    def _new_task(self, task_id: str, max_retry: int) -> Task:
        entry = next(item for item in DEFINITION["tasks"] if item["id"] == task_id)
        return Task(
            id=f"{self.instance_id}:{task_id}",
            instance=self.instance,
            task_id=task_id,
            task_name=entry["task_name"],
            name=entry["description"],
            type="http",
            config=entry["config"],
            input_data={"order_no": self.instance_id, "amount": "128.50"},
            max_retry=max_retry,
            started_at=self.clock,
        )

    def _settle(
        self,
        task: Task,
        *,
        number: int,
        status: str,
        task_status: str,
        error: tuple[str, str],
        next_in: float | None,
        final: bool,
    ) -> None:
        code, message = error
        task.attempt = number
        task.status = task_status or {"started": "running"}.get(status, status)
        task.retries = max(0, number - 1)
        task.error_code, task.error_message = (code, message) if status != "success" else ("", "")
        task.error_type = "TaskFailed" if code else ""
        task.error_final = final and bool(code)
        task.next_at = timezone.now() + timedelta(seconds=next_in) if next_in is not None else None
        task.completed_at = self.clock if task.status in ("success", "failed", "skipped") else None
        if status == "success":
            task.result = {"status": 200, "body": {"code": 0}}
        task.save()

    def end(self, status: str, **changes: Any) -> Instance:
        self.instance.status = status
        self.instance.updated_at = self.clock
        if status in ("success", "failed", "cancelled"):
            self.instance.completed_at = self.clock
        for name, value in changes.items():
            setattr(self.instance, name, value)
        self.log("complete" if status == "success" else status, "", "")
        self.instance.save()
        return self.instance

    def exception(self, task: Task, state: str = "open") -> ExceptionRecord:
        return ExceptionRecord.objects.create(
            id=derived_id(self.instance_id, task.task_id, "1"),
            instance=self.instance,
            flow=self.flow,
            flow_name=self.flow.name,
            task_id=task.task_id,
            task_name=task.task_name,
            error_type="TaskFailed",
            error_code=task.error_code,
            error_message=task.error_message,
            retry_strategy="auto",
            retry_times=task.retries,
            retry_max=task.max_retry,
            state=state,
            fingerprint=fingerprint(
                flow_id=self.flow.pk, task_id=task.task_id, error_code=task.error_code, message=task.error_message
            ),
            details={"response": {"status": 503}},
            occurred_at=self.clock,
            updated_at=self.clock,
        )
