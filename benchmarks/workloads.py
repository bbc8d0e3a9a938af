"""The four workloads, as flow definitions of ours and as numbers that every peer follows."""

from __future__ import annotations

import os
from typing import Any, Final

# W1 three http tasks in a chain; W2 one, ten in parallel, one; W3 one no-op; W4 a hundred no-ops in a chain.
TASKS: Final = {"W1": 3, "W2": 12, "W3": 1, "W4": 100}
WIDTH: Final = 10
PARAMS: Final = {"order": 1, "amount": 42}
STUB_VARIABLE: Final = "DISTTASK_BENCH_STUB"


def stub_url() -> str:
    return os.environ[STUB_VARIABLE]


def definition(workload: str) -> dict[str, Any]:
    return {"name": f"bench-{workload.lower()}", "tasks": _tasks(workload)}


def _tasks(workload: str) -> list[dict[str, Any]]:
    if workload == "W1":
        return [_call("a"), _call("b", "a"), _call("c", "b")]
    if workload == "W2":
        middle = [_call(f"m{number}", "a") for number in range(WIDTH)]
        return [_call("a"), *middle, _call("z", *[task["id"] for task in middle])]
    if workload == "W3":
        return [_noop("a")]
    if workload == "W4":
        return [_noop("t0"), *(_noop(f"t{number}", f"t{number - 1}") for number in range(1, TASKS["W4"]))]
    raise ValueError(f"no workload {workload}")


def _call(id_: str, *depends_on: str) -> dict[str, Any]:
    return {
        "id": id_,
        "task_name": "http",
        "depends_on": list(depends_on),
        "config": {"url": stub_url(), "method": "POST"},
        "input": {"order": "${params.order}", "amount": "${params.amount}"},
    }


def _noop(id_: str, *depends_on: str) -> dict[str, Any]:
    return {"id": id_, "task_name": "noop", "depends_on": list(depends_on), "input": {"order": "${params.order}"}}
