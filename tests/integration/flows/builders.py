from __future__ import annotations

from typing import Any

from disttask_project.kernel.actor import Actor, system_actor

ADMIN = system_actor("li.wei", source="rest")


def actor(*permissions: str) -> Actor:
    return Actor(name="zhang", source="console", may=set(permissions).__contains__, request_id="r1", address="10.0.0.1")


def document(name: str = "order", **more: Any) -> dict[str, Any]:
    tasks = [{"id": "a", "task_name": "http_request", "config": {"url": "http://a.example/x"}}]
    return {"name": name, "tasks": tasks, **more}
