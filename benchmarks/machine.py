"""What the figures were taken on: machine, versions, and the durability that the servers themselves report."""

from __future__ import annotations

import os
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from benchmarks.meters.databases import meter_of
from benchmarks.servers import OURS, ROOT, STORES, Servers

OURS_NAMED: Final = ("django", "django-q2", "djangorestframework", "aiohttp", "mysqlclient", "psycopg", "gunicorn")


def describe(servers: Servers) -> dict[str, Any]:
    return {
        "cores": os.cpu_count(),
        "processor": _processor(),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "system": platform.platform(),
        "python": platform.python_version(),
        "packages": {name: version(name) for name in OURS_NAMED},
        "peers": peers_locked(),
        "revision": _revision(),
        "durability": {store: meter_of(servers.url(store, OURS)).durability() for store in STORES},
    }


def peers_locked() -> dict[str, str]:
    """The peers' versions as their lock pins them."""
    pins = (line.split("==") for line in (ROOT / "locks/bench.lock").read_text().splitlines() if "==" in line)
    found = {name.partition("[")[0].strip(): rest.split()[0] for name, rest in pins}
    return {name: found[name] for name in ("dbos", "celery", "django-q2", "requests") if name in found}


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _revision() -> str:
    answer = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return answer.stdout.strip() or "unknown"
