"""Submitting over REST beside a plain one-row create, both under the same gunicorn on the same store (G14).

python -m benchmarks.ours.rest --seconds 3
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from socket import create_connection, socket
from typing import Any, Final

from benchmarks.ours import project
from benchmarks.ours.load import requests_a_second
from benchmarks.protocol import Gate
from benchmarks.workloads import PARAMS

CONNECTIONS: Final = 16
BULK: Final = 100
GUNICORN: Final = ("--workers", "2", "--worker-class", "gthread", "--threads", "8", "--log-level", "error")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=3.0)
    options = parser.parse_args()
    gate = Gate()
    project.set_up()
    project.empty_store()
    flow_id = project.flow_of("W3")
    project.flow_of("W1")
    headers = {"Authorization": f"Bearer {_token()}"}
    start = {"flow_name": "bench-w1", "params": PARAMS}
    bulk = json.dumps({"transactions": [start] * BULK}).encode()
    single = json.dumps(start).encode()
    plain = json.dumps({"flow": flow_id, "params": PARAMS}).encode()
    subprocess.run([sys.executable, "-m", "benchmarks.peers.plain_create"], check=True, cwd=project.ROOT)
    project.close()
    with _served("disttask_project.wsgi") as ours, _served("benchmarks.peers.plain_create") as peer:
        _post(ours, "/api/v1/transactions", single, 0.5, expected=201, headers=headers)
        _post(peer, "/orders", plain, 0.5, expected=201, headers={})
        gate.ready()
        started = time.perf_counter()
        long = options.seconds
        per_bulk = _post(ours, "/api/v1/transactions/bulk", bulk, long, expected=200, headers=headers)
        figures = {
            "plain_rate": _post(peer, "/orders", plain, long, expected=201, headers={}),
            "single_rate": _post(ours, "/api/v1/transactions", single, long, expected=201, headers=headers),
            "bulk_rate": BULK * per_bulk,
        }
        gate.done(seconds=time.perf_counter() - started, wrong=0, **figures)


def _post(port: int, path: str, body: bytes, seconds: float, *, expected: int, headers: dict[str, str]) -> float:
    return requests_a_second(port, path, body, headers, connections=CONNECTIONS, seconds=seconds, expected=expected)


def _token() -> str:
    from django.contrib.auth.models import User

    from disttask_project.access.services import create_token
    from disttask_project.kernel.actor import system_actor

    User.objects.filter(username="bench").delete()
    User.objects.create_superuser("bench")
    return create_token(username="bench", name="bench", days=1, actor=system_actor("bench"))


@contextmanager
def _served(application: str) -> Iterator[int]:
    port = _free_port()
    config = Path(os.environ["DISTTASK_HOME"]) / "gunicorn.conf.py"
    config.write_text("control_socket_disable = True\n")
    command = [sys.executable, "-m", "gunicorn", "-c", str(config), f"{application}:application"]
    child = subprocess.Popen(
        [*command, "-b", f"127.0.0.1:{port}", *GUNICORN],
        cwd=project.ROOT,
        stdin=subprocess.DEVNULL,
    )
    try:
        project.wait_for(_answering(port), within=60, every=0.1)
        yield port
    finally:
        child.terminate()
        child.wait(30)


def _answering(port: int) -> Any:
    def is_up() -> bool:
        try:
            with create_connection(("127.0.0.1", port), 0.5):
                return True
        except OSError:
            return False

    return is_up


def _free_port() -> int:
    with socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    main()
