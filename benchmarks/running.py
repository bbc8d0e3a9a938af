"""One run of one participant: started, metered between READY and the end of its work, ended."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from benchmarks import servers as places
from benchmarks.meters.cpu import CORES, OTHERS, CpuMeter, between
from benchmarks.meters.databases import meter_of, spent
from benchmarks.protocol import END, GO, READY
from benchmarks.servers import GROWN, OURS, PEERS, ROOT, Servers
from benchmarks.workloads import STUB_VARIABLE

START_WITHIN: Final = 150
NOISY: Final = 8.0  # per cent of the machine taken by others: such a round is marked


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What is started. `name` tells runs apart in the results; `count` flows are done between READY and the end."""

    name: str
    module: str
    arguments: tuple[str, ...]
    count: int
    store: str
    is_peer: bool = False
    is_grown: bool = False  # on the store with a million finished instances


class Runner:
    def __init__(self, servers: Servers, *, python: str, peer_python: str) -> None:
        self._servers = servers
        self._python = python
        self._peer_python = peer_python

    def measure(self, run: Run) -> dict[str, Any]:
        """The figures of one run, a flow's share where that makes sense. Raises RuntimeError if it fails."""
        with tempfile.TemporaryDirectory(prefix="disttask-bench-") as scratch:
            return self._measured(run, Path(scratch))

    def grow(self, store: str, instances: int) -> None:
        """Make sure of the store with so many finished instances; the first time takes minutes."""
        run = Run(name=f"growth {store}", module="", arguments=(), count=1, store=store, is_grown=True)
        with tempfile.TemporaryDirectory(prefix="disttask-bench-") as scratch:
            command = [self._python, "-m", "benchmarks.ours.growth", "--instances", str(instances)]
            subprocess.run(command, check=True, cwd=ROOT, env=self._environment(run, Path(scratch)), stdout=sys.stderr)

    def _measured(self, run: Run, scratch: Path) -> dict[str, Any]:
        python = self._peer_python if run.is_peer else self._python
        log = scratch / "participant.log"
        with log.open("wb") as errors:
            child = subprocess.Popen(
                [python, "-m", run.module, *run.arguments],
                cwd=ROOT,
                env=self._environment(run, scratch),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                start_new_session=True,
            )
            try:
                return self._talk(run, child)
            except Exception as error:
                raise RuntimeError(f"{run.name}: {error}\n{_tail(scratch)}") from error
            finally:
                _end(child)

    def _talk(self, run: Run, child: subprocess.Popen[str]) -> dict[str, Any]:
        assert child.stdin is not None
        assert child.stdout is not None
        _expect(child.stdout.readline(), READY)
        database = meter_of(self._servers.url(run.store, OURS)) if run.store in places.STORES else None
        meter = CpuMeter({**self._servers.pids(), child.pid: "python"})
        counted = database.read() if database else {}
        before, started = meter.read(), time.monotonic()
        _say(child.stdin, GO)
        line = child.stdout.readline()
        after, took = meter.read(), time.monotonic() - started
        if not line:
            raise RuntimeError("it ended before its work was done")
        facts = json.loads(line)
        work = spent(counted, database.read()) if database else {}
        _say(child.stdin, END)
        cpu = between(before, after)
        others = cpu.pop(OTHERS, 0.0)
        per_flow = {f"{name}_per_flow": round(amount / run.count, 4) for name, amount in work.items()}
        return {
            "run": run.name,
            "store": run.store,
            "count": run.count,
            "rate": round(run.count / facts["seconds"], 2),
            "cpu_ms_per_flow": round(sum(cpu.values()) * 1000 / run.count, 4),
            "cpu_ms_by_part": {name: round(value * 1000 / run.count, 4) for name, value in sorted(cpu.items())},
            "others_percent": round(100 * others / took / CORES, 1),
            **per_flow,
            **facts,
        }

    def _environment(self, run: Run, scratch: Path) -> dict[str, str]:
        servers = self._servers
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("DISTTASK_", "DJANGO_"))}
        clean |= {STUB_VARIABLE: servers.stub, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
        clean |= {"DISTTASK_BENCH_REDIS": servers.redis, "TMPDIR": str(scratch)}
        if run.is_peer:
            clean["DISTTASK_BENCH_PEER_DATABASE"] = servers.url(run.store, PEERS)
        else:
            home = scratch / "home"
            home.mkdir()
            clean |= {
                "DISTTASK_HOME": str(home),
                "DISTTASK_DATABASE_URL": servers.url(run.store, GROWN if run.is_grown else OURS),
                "DISTTASK_BENCH_PEER_DATABASE": servers.url(run.store, PEERS),
                "DISTTASK_PROFILE": "production",
                "DISTTASK_SECRET_KEY": secrets.token_urlsafe(50),
                "DISTTASK_HTTP_ALLOW_NETWORKS": "127.0.0.0/8",
                "DISTTASK_SECURITY_HTTPS": "false",
                "DISTTASK_LOG_LEVEL": "warning",
            }
        return clean


def _expect(line: str, word: str) -> None:
    if line.strip() != word:
        raise RuntimeError(f"expected {word}, got {line.strip()!r}")


def _say(stream: Any, word: str) -> None:
    stream.write(word + "\n")
    stream.flush()


def _end(child: subprocess.Popen[str]) -> None:
    """By its own clean-up; where that hangs, its whole session."""
    if child.stdin is not None:
        child.stdin.close()
    try:
        child.wait(40)
    except subprocess.TimeoutExpired:
        os.killpg(child.pid, 9)
        child.wait()


def _tail(scratch: Path, lines: int = 15) -> str:
    texts = [path.read_text(errors="replace").splitlines()[-lines:] for path in scratch.rglob("*.log")]
    return "\n".join(line for text in texts for line in text)


def median(values: Sequence[float]) -> float:
    ordered = sorted(values)
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2
