"""The flow of the fault runs: every task type, a fork and a join, and what each leaves at its target.

a (http, honours the key) -> b (http, does not), c (db) -> d (rpc) -> e (mq)
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

FLOW: Final = "chaos"
DEPENDS: Final[Mapping[str, tuple[str, ...]]] = {"a": (), "b": ("a",), "c": ("a",), "d": ("b", "c"), "e": ("d",)}
TABLE: Final = "effects"
RETRY: Final = {"strategy": "auto", "max_attempts": 40, "interval": 0.2, "backoff_rate": 1.2, "max_interval": 2}


def definition(*, port: int, name: str = FLOW, retry: Mapping[str, Any] = RETRY) -> dict[str, Any]:
    target = f"http://127.0.0.1:{port}"
    configs: dict[str, tuple[str, dict[str, Any]]] = {
        "a": ("http", {"url": f"{target}/keyed", "method": "POST"}),
        "b": ("http", {"url": f"{target}/plain", "method": "POST"}),
        "c": (
            "db",
            {
                "connection": "chaos",
                "operation": "insert",
                "table": TABLE,
                "data": {"instance": "${instance.id}", "task": "c"},
            },
        ),
        "d": ("rpc", {"service": "ledger", "method": "Apply"}),
        "e": ("mq", {"topic": "chaos"}),
    }
    return {
        "name": name,
        "tasks": [
            {
                "id": task_id,
                "task_name": type_,
                "depends_on": list(DEPENDS[task_id]),
                "config": config,
                "input": {"order": "${params.order}"},
                "timeout_seconds": 4,
                "retry": dict(retry),
            }
            for task_id, (type_, config) in configs.items()
        ],
    }


def chain(*, port: int, name: str, path: str = "keyed", length: int = 3, **more: Any) -> dict[str, Any]:
    """Http calls one after the other; `more` goes into each task."""
    return {
        "name": name,
        "tasks": [
            {
                "id": f"t{number}",
                "task_name": "http",
                "depends_on": [f"t{number - 1}"] if number else [],
                "config": {"url": f"http://127.0.0.1:{port}/{path}", "method": "POST"},
                "input": {"order": "${params.order}"},
                "timeout_seconds": 4,
                "retry": dict(RETRY),
                **more,
            }
            for number in range(length)
        ],
    }


def environment(*, port: int, target_url: str) -> dict[str, str]:
    """What the hosts must know of the targets."""
    return {
        "DISTTASK_DB_CONNECTIONS_CHAOS_URL": target_url,
        "DISTTASK_DB_CONNECTIONS_CHAOS_TABLES": TABLE,
        "DISTTASK_RPC_SERVICES_LEDGER_PROTOCOL": "http-json",
        "DISTTASK_RPC_SERVICES_LEDGER_TARGET": f"127.0.0.1:{port}",
    }
