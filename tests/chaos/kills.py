"""Random kill -9 of any process while instances run: python -m tests.chaos.kills --kills 200 --seed 1 [--url ...].

Starts runcluster and/or runengine on a scratch home with a short lease, keeps starting instances of a chain of three
http calls, kills, waits for recovery, and prints the checker's counts as one JSON line. Exit code 1: a promise broken.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.chaos.scratch import scratch_database

FLOW = "chaos-chain"
OUTSTANDING = 40


def environment(home: Path, url: str, lease: float) -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith("DISTTASK_")}
    kept |= {
        "DISTTASK_HOME": str(home),
        "DISTTASK_PROFILE": "test",
        "DISTTASK_ENGINE_LEASE_SECONDS": str(lease),
        "DISTTASK_ENGINE_WORKERS": "3",
        "DJANGO_SETTINGS_MODULE": "disttask_project.settings",
    }
    return kept | ({"DISTTASK_DATABASE_URL": url} if url else {})


def definition(port: int) -> dict[str, Any]:
    def call(id_: str, *after: str) -> dict[str, Any]:
        return {
            "id": id_,
            "task_name": "http",
            "depends_on": list(after),
            "config": {"url": f"http://127.0.0.1:{port}/{id_}", "method": "POST"},
            "input": {"order": "${params.order}"},
            "timeout_seconds": 5,
            "retry": {"strategy": "auto", "max_attempts": 20, "interval": 0.2, "backoff_rate": 1.2},
        }

    return {"name": FLOW, "tasks": [call("a"), call("b", "a"), call("c", "b")]}


class Arena:
    """Target, hosts and the starts that were accepted. Django is set up on the scratch store when this is made."""

    def __init__(self, options: argparse.Namespace, home: Path) -> None:
        from disttask_project.kernel.actor import system_actor
        from execution.models import Attempt, Instance
        from flows.services import create_flow
        from tests.chaos.hosts import HostProcess
        from tests.chaos.target import LedgerTarget

        self._options = options
        self._chance = random.Random(options.seed)
        self._instances = Instance
        self._actor = system_actor("chaos")
        self.accepted: list[str] = []
        self.killed: dict[str, int] = {}
        self._ended = 0
        self.target = LedgerTarget(
            home / "ledger",
            seen=lambda key: Attempt.objects.filter(key=key, status="started").exists(),
            slowest=options.slowest,
        )
        self.target.start()
        create_flow(definition=definition(self.target.port), actor=self._actor)
        names = {"cluster": ["runcluster"], "engine": ["runengine"], "both": ["runcluster", "runengine"]}
        self.hosts = [HostProcess(name, home, dict(os.environ)) for name in names[options.host]]

    def run(self) -> None:
        """Start and kill until the asked number of processes is dead."""
        deadline = time.monotonic() + self._options.most_seconds
        self._until_first_success(deadline)
        next_kill = time.monotonic() + self._pause()
        while sum(self.killed.values()) < self._options.kills and time.monotonic() < deadline:
            self._start_some()
            if time.monotonic() >= next_kill and self._has_progressed():
                self._kill()
                next_kill = time.monotonic() + self._pause()
            for host in self.hosts:
                host.revive()
            time.sleep(0.05)

    def settle(self) -> float:
        """Hosts stay up until all is ended or parked; the seconds that took."""
        from tests.chaos.checker import unfinished
        from tests.chaos.hosts import wait_until

        started = time.monotonic()

        def settled() -> bool:
            for host in self.hosts:
                host.revive()
            return not unfinished(self.accepted)

        wait_until(settled, self._options.settle_seconds)
        return round(time.monotonic() - started, 1)

    def stop(self) -> None:
        for host in self.hosts:
            host.stop()
        self.target.stop()

    def _until_first_success(self, deadline: float) -> None:
        """Kills begin once work flows."""
        while not self._instances.objects.filter(status="success").exists():
            self._start_some()
            if time.monotonic() > deadline:
                raise SystemExit("no instance ended before the first kill: see the logs in the home")
            time.sleep(0.1)

    def _has_progressed(self) -> bool:
        """Something ended since the last kill: hosts that are still starting are not worth killing again."""
        ended = self._instances.objects.filter(status="success").count()
        progressed = ended > self._ended
        self._ended = ended
        return progressed

    def _start_some(self) -> None:
        from execution.services.start import start_instance

        running = self._instances.objects.filter(wake_at__isnull=False).count()
        for _ in range(min(5, OUTSTANDING - running)):
            number = len(self.accepted)
            instance_id = f"order-{number:05}"
            start_instance(flow_name=FLOW, params={"order": number}, instance_id=instance_id, actor=self._actor)
            self.accepted.append(instance_id)

    def _kill(self) -> None:
        from tests.chaos.hosts import kill_one

        killed = kill_one(self.hosts, self._chance)
        if killed:
            self.killed[killed] = self.killed.get(killed, 0) + 1

    def _pause(self) -> float:
        return self._chance.uniform(0.2, 2 * self._options.every)


def parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.kills")
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--url", default="", help="a server, by a database URL; default: SQLite")
    parser.add_argument("--host", choices=["cluster", "engine", "both"], default="both")
    parser.add_argument("--lease", type=float, default=3.0)
    parser.add_argument("--every", type=float, default=2.0, help="mean seconds between kills at the least")
    parser.add_argument("--slowest", type=float, default=0.2, help="longest answer of the target in seconds")
    parser.add_argument("--settle-seconds", type=float, default=90)
    parser.add_argument("--most-seconds", type=float, default=3600)
    parser.add_argument("--keep", action="store_true", help="keep the scratch home")
    return parser.parse_args(argv)


def main(argv: Sequence[str]) -> int:
    options = parse(argv)
    home = Path(tempfile.mkdtemp(prefix="disttask-chaos-"))
    for key in [key for key in os.environ if key.startswith("DISTTASK_")]:
        del os.environ[key]
    broken = True
    try:
        with scratch_database(options.url) as url:
            os.environ.update(environment(home, url, options.lease))
            report = play(options, home)
        broken = any(report[name] for name in PROMISES)
        print(json.dumps(report))
    finally:
        if broken or options.keep:
            print(f"home kept: {home}", file=sys.stderr)
        else:
            shutil.rmtree(home, ignore_errors=True)
    return int(broken)


PROMISES = (
    "lost",
    "unrecorded",
    "without_attempt",
    "more_effects_than_attempts",
    "unexplained_duplicates",
    "success_without_effect",
    "attempts_left_open",
    "leases_left",
    "log_gaps",
    "tasks_before_their_dependency",
)


def play(options: argparse.Namespace, home: Path) -> dict[str, Any]:
    import django

    django.setup()
    from django.core.management import call_command
    from django.db import connections

    from tests.chaos.checker import check

    call_command("migrate", verbosity=0)
    arena = Arena(options, home)
    started = time.monotonic()
    try:
        arena.run()
        settled = arena.settle()
    finally:
        arena.stop()
        connections.close_all()
    report: dict[str, Any] = dict(check(arena.accepted, arena.target.entries()))
    connections.close_all()
    return report | {
        "seed": options.seed,
        "store": options.url.partition(":")[0] or "sqlite",
        "host": options.host,
        "kills": sum(arena.killed.values()),
        "killed": arena.killed,
        "settled_s": settled,
        "seconds": round(time.monotonic() - started, 1),
    }


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
