"""Another flow's single starts beside a backlog: python benchmarks/fairness.py [--backlog 100000] [--singles 200].

One driver in this process. A flow of one no-op task has a backlog that is kept at 100, then one of `--backlog`; beside
each, single starts of another flow, one each 100 ms. Told are their p50 and p95 from the start to the end by the
database's rows, the p95 of the insert itself, and the process's peak RSS. The database is the configured one
(DISTTASK_DATABASE_URL, DISTTASK_HOME) and is migrated; use one of its own. Prints a JSON line a backlog.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import sys
import threading
import time
from pathlib import Path
from typing import Any, Final

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "disttask_project.settings")
os.environ.setdefault("DISTTASK_PROFILE", "test")

SMALL: Final = 100
PACE: Final = 0.1


def quantile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return round(ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1000, 1)


class Crowd:
    """The store with two flows in it: one with a backlog, one with single starts."""

    def __init__(self) -> None:
        from execution.engine.loading import failure_port
        from execution.stores.sql.store import SqlStore
        from tests.fakes.flows import FlowShelf, flow, task

        shelf = FlowShelf()
        self.mark = f"{time.time_ns() // 1000:x}"
        self.many, self.single = (shelf.put(flow(f"{name}-{self.mark}", task("a"))) for name in ("many", "single"))
        self.store = SqlStore(compiled=shelf.compiled, tables=failure_port().tables)
        self._made = 0

    def insert(self, count: int) -> None:
        from tests.fakes.flows import rows

        for start in range(0, count, 500):
            self._made += 1
            news = rows(min(500, count - start), self.many, prefix=f"m{self.mark}-{self._made}-")
            self.store.insert_instances(news)

    def keep(self, level: int, stopped: threading.Event) -> None:
        from execution.models import Instance

        while not stopped.is_set():
            waiting = Instance.objects.filter(flow_id=self.many[0], owner="", wake_at__isnull=False).count()
            if waiting < level:
                self.insert(level - waiting)
            time.sleep(0.01)

    def singles(self, count: int, run: str) -> tuple[list[float], list[float]]:
        """Seconds from start to end of each, and of its insert."""
        from execution.models import Instance
        from tests.fakes.flows import rows

        inserts = []
        prefix = f"s{self.mark}-{run}-"
        for number in range(count):
            begun = time.monotonic()
            self.store.insert_instances(rows(1, self.single, prefix=f"{prefix}{number}-"))
            inserts.append(time.monotonic() - begun)
            time.sleep(max(0.0, PACE - inserts[-1]))
        deadline = time.monotonic() + 60
        mine = Instance.objects.filter(pk__startswith=prefix)
        while mine.exclude(status="success").exists() and time.monotonic() < deadline:
            time.sleep(0.1)
        ends = mine.filter(status="success").values_list("created_at", "completed_at")
        return [(end - start).total_seconds() for start, end in ends if end is not None], inserts


def measure(backlog: int, singles: int) -> dict[str, Any]:
    from django.db import connection

    from benchmarks.engine_rate import drive
    from execution.models import Instance

    crowd, done = Crowd(), threading.Event()
    crowd.insert(backlog)
    driver = threading.Thread(target=drive, args=(crowd.store, done))
    driver.start()
    if backlog <= SMALL:
        threading.Thread(target=crowd.keep, args=(backlog, done), daemon=True).start()
    time.sleep(2)
    took, inserts = crowd.singles(singles, "a")
    left = Instance.objects.filter(flow_id=crowd.many[0], wake_at__isnull=False).count()
    done.set()
    driver.join()
    return {
        "store": connection.vendor,
        "backlog": backlog,
        "left": left,
        "singles": len(took),
        "p50_ms": quantile(took, 0.5),
        "p95_ms": quantile(took, 0.95),
        "insert_p95_ms": quantile(inserts, 0.95),
        "peak_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--backlog", type=int, default=100_000)
    parser.add_argument("--singles", type=int, default=200)
    options = parser.parse_args()

    import django

    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    for backlog in (SMALL, options.backlog):
        print(json.dumps(measure(backlog, options.singles)), flush=True)


if __name__ == "__main__":
    main()
