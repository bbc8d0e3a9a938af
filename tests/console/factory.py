"""Finished, failed, retrying, running and paused runs for pages to show."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.utils import timezone

from disttask_project.kernel.actor import system_actor
from disttask_project.kernel.ids import new_id
from execution.models import EngineSession, Instance
from execution.target_models import Target, TargetShare
from flows.models import Flow
from flows.services import create_flow
from tests.console.runs import DEFINITION, RunMaker


def make_flow(name: str = "demo-order", definition: dict[str, Any] | None = None) -> Flow:
    """A published flow of one version."""
    body = {**(definition or DEFINITION), "name": name}
    return create_flow(definition=body, actor=system_actor("li.wei"), note="first version")


def succeeded(flow: Flow, instance_id: str = "") -> Instance:
    run = RunMaker(flow, instance_id or new_id())
    for task_id in ("reserve", "create_order", "deduct", "notify"):
        run.attempt(task_id, millis=120)
    return run.end("success", output={"order_id": instance_id})


def failed(flow: Flow, instance_id: str = "", *, message: str = "", response: Any = None) -> Instance:
    """Failed at `deduct` after four attempts; waits for a person."""
    run = RunMaker(flow, instance_id or new_id())
    run.attempt("reserve", millis=240)
    run.attempt("create_order", millis=90)
    text = message or "payment.example answered 503 Service Unavailable: 账户系统维护中，请稍后再试"
    answer = response or {
        "status": 503,
        "body": {"code": 50301, "message": "账户系统维护中", "token": "do-not-show-me"},
    }
    for number in range(4):
        task = run.attempt(
            "deduct", "failed", millis=900, code="HTTP_503", message=text, response=answer, final=number == 3
        )
        run.clock += timedelta(seconds=5 * 2**number)
    run.clock = min(run.clock, timezone.now())
    run.exception(task)
    error = {"type": "TaskFailed", "code": "HTTP_503", "message": text, "task_id": "deduct"}
    return run.end("failed", needs_attention=True, error=error)


def retrying(flow: Flow, instance_id: str = "") -> Instance:
    run = RunMaker(flow, instance_id or new_id(), start=timezone.now() - timedelta(seconds=40))
    run.attempt("create_order")
    task = run.attempt(
        "reserve", "failed", millis=30_000, code="TIMEOUT", message="No answer within 30 s.", task_status="retrying",
        next_in=25, final=False,
    )  # fmt: skip
    run.exception(task, state="retrying")
    return run.end("running")


def running(flow: Flow, instance_id: str = "") -> Instance:
    run = RunMaker(flow, instance_id or new_id(), start=timezone.now() - timedelta(seconds=6))
    run.attempt("reserve", millis=300)
    run.attempt("create_order", millis=300)
    run.attempt("deduct", "started", millis=0)
    return run.end("running", owner="host-a:4711")


def paused(flow: Flow, instance_id: str = "") -> Instance:
    run = RunMaker(flow, instance_id or new_id())
    run.attempt("reserve")
    return run.end("paused", paused_from="running")


def targets() -> None:
    """One that fails, one under maintenance, one with limits."""
    now = timezone.now()
    window = [[now.timestamp() - 5, 400, 310, {"20": 300, "32": 100}]]
    rows: dict[str, dict[str, Any]] = {
        "http:inventory.example:8080": {"state": "open", "open_until": now + timedelta(seconds=45), "opens": 2},
        "rpc:PaymentService": {"forced": "open", "forced_by": "li.wei", "reason": "银行维护窗口"},
        "db:orders": {"concurrency": 20, "rate": 12.5},
    }
    for target_id, more in rows.items():
        Target.objects.create(id=target_id, seen_at=now, created_at=now, changed_at=now, acts=True, **more)
    TargetShare.objects.create(
        id="t|w", target_id="http:inventory.example:8080", owner="w", until=now, updated_at=now, window=window
    )


def worker(*, silent: bool = False, name: str = "host-a:4711") -> EngineSession:
    now = timezone.now()
    beat = now - timedelta(minutes=5) if silent else now
    return EngineSession.objects.create(
        id=name,
        host="host-a",
        pid=4711,
        kind="cluster",
        state="running",
        in_flight=1,
        started_at=now - timedelta(hours=2),
        heartbeat_at=beat,
    )


def everything() -> Flow:
    """One of each, under readable ids."""
    flow = make_flow()
    worker()
    worker(silent=True, name="host-b:815")
    for number in range(9):
        succeeded(flow, f"order-20261123-{number:03d}")
    failed(flow, "order-20261123-101")
    failed(flow, "order-20261123-102")
    retrying(flow, "order-20261123-103")
    running(flow, "order-20261123-104")
    paused(flow, "order-20261123-105")
    return flow
