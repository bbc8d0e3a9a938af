"""F18 and F19: definitions and values made to break a parser, a graph walk or a store. Each gets a clear 4xx."""

from __future__ import annotations

import json
import resource
import time
from collections.abc import Mapping
from typing import Any

from django.contrib.auth import get_user_model
from django.db import connections
from rest_framework.test import APIClient

from execution.models import Instance
from tests.chaos import flow
from tests.chaos.arena import arena
from tests.chaos.checker import unfinished
from tests.chaos.counts import Count
from tests.chaos.roles import Play
from tests.chaos.scene import begin, engines, put_up, rest
from tests.chaos.stage import Stage

WIDE = 10_000
DEEP = 10_000
GIANT = "giant"
FLOWS, STARTS = "/api/v1/flows", "/api/v1/transactions"


def run(stage: Stage) -> list[Count]:
    play = Play(home=stage.folder("f18"), prefix="h")
    put_up(flow.chain(port=stage.port, name="hostile", length=1))
    user = get_user_model().objects.create_superuser("hostile")
    client = APIClient(raise_request_exception=False)
    client.force_authenticate(user)
    definitions = _definitions()
    codes = {name: _post(client, FLOWS, {"name": f"x{n}", "definition": d}) for n, (name, d) in enumerate(definitions)}
    values = {name: _raw(client, STARTS, body) for name, body in _bodies()}
    giants = [GIANT] if _raw(client, STARTS, _giant()) == 201 else []
    big, seconds, megabytes = _big(client, WIDE if not stage.quick else 2_000)
    connections.close_all()
    with arena(play, port=stage.port, seed=stage.seed) as ring:
        engines(ring, 1)
        sound = begin(5, flow_name="hostile")
        rest(ring, [*sound, *giants], within=120)
        stuck = len(unfinished(giants))
    done = Instance.objects.filter(id__in=sound, status="success").count()
    connections.close_all()
    said: tuple[tuple[str, str, int, int, Mapping[str, float]], ...] = (
        ("F18", "hostile definitions not refused by 4xx", _beyond(codes), len(codes), {}),
        ("F19", "hostile values not refused by 4xx", _beyond(values), len(values), {}),
        ("F18", "wide and deep graphs that were not accepted", 2 - big, 2, {"s": seconds, "MB": megabytes}),
        ("F19", "ten megabytes accepted at start that come to no end", stuck, 1, {}),
        ("F19", "sound instances that did not run afterwards", 5 - done, 5, {}),
    )
    return [Count(id=i, what=w, bad=bad, of=of, store=stage.store, figures=figures) for i, w, bad, of, figures in said]


def _beyond(codes: Mapping[str, int]) -> int:
    return sum(not 400 <= code < 500 for code in codes.values())


def _post(client: APIClient, path: str, body: Any) -> int:
    return int(client.post(path, body, format="json", HTTP_HOST="127.0.0.1").status_code)


def _raw(client: APIClient, path: str, body: bytes) -> int:
    response = client.post(path, body, content_type="application/json", HTTP_HOST="127.0.0.1")
    return int(response.status_code)


def _task(id_: str, *after: str) -> dict[str, Any]:
    return {"id": id_, "task_name": "noop", "depends_on": list(after)}


def _definitions() -> list[tuple[str, Any]]:
    ring = [_task(f"t{n}", f"t{(n + 1) % 50}") for n in range(50)]
    many = [_task(f"t{n}") for n in range(10_001)]
    deep: Any = {"name": "x", "tasks": []}
    for _ in range(500):
        deep = {"name": "x", "tasks": deep}
    return [
        ("cycle", {"name": "x", "tasks": ring}),
        ("itself", {"name": "x", "tasks": [_task("a", "a")]}),
        ("unknown", {"name": "x", "tasks": [_task("a", "nobody")]}),
        ("twice", {"name": "x", "tasks": [_task("a"), _task("a")]}),
        ("empty", {"name": "x", "tasks": []}),
        ("too many", {"name": "x", "tasks": many}),
        ("nested", deep),
        ("no object", [1, 2]),
        ("text", "x"),
        ("no name of a task", {"name": "x", "tasks": [{"id": "a"}]}),
    ]


def _bodies() -> list[tuple[str, bytes]]:
    def start(value: bytes) -> bytes:
        return b'{"flow_name": "hostile", "params": {"order": ' + value + b"}}"

    return [
        ("20 MB", start(b'"' + b"x" * 20_000_000 + b'"')),
        ("nesting", start(b"[" * 200_000 + b"]" * 200_000)),
        ("digits", start(b"1" * 5_000)),
        ("NaN", start(b"NaN")),
        ("infinity", start(b"Infinity")),
        ("twice", b'{"flow_name": "hostile", "params": {"order": 1, "order": 2}}'),
        ("NUL", start(b'"a\\u0000b"')),
        ("surrogate", start(b'"\\ud800"')),
        ("bad UTF-8", start(b'"\xff\xfe"')),
        ("broken", b'{"flow_name": '),
        ("id", b'{"flow_name": "hostile", "instance_id": "a/../b"}'),
        ("marks in id", '{"flow_name": "hostile", "instance_id": "a\u202eb"}'.encode()),
    ]


def _giant() -> bytes:
    """Within the limit of a body, beyond what a target or a store may take: accepted, it must come to its end."""
    said = {"flow_name": "hostile", "instance_id": GIANT, "params": {"order": "x" * 10_000_000}}
    return json.dumps(said).encode()


def _big(client: APIClient, size: int) -> tuple[int, float, float]:
    """Accepted of a wide and a deep graph, the seconds of the slower, and what memory grew by."""
    wide = [_task("a"), *(_task(f"w{n}", "a") for n in range(size - 2)), _task("z", "a")]
    deep = [_task(f"d{n}", *([f"d{n - 1}"] if n else [])) for n in range(size)]
    before, accepted, slowest = _peak(), 0, 0.0
    for name, tasks in (("wide", wide), ("deep", deep)):
        began = time.monotonic()
        body = {"definition": {"name": name, "tasks": tasks}}
        accepted += client.post(FLOWS, body, format="json", HTTP_HOST="127.0.0.1").status_code == 201
        slowest = max(slowest, time.monotonic() - began)
    return accepted, round(slowest, 2), round(_peak() - before, 1)


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
