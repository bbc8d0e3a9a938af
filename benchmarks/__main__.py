"""`make bench`: all participants in interleaved rounds, then one JSON line a measure on standard output.

QUICK=1      one round of tiny runs: shows that everything works, its figures mean nothing
ONLY=G1,G3   only what these measures need
ROUNDS=3     how many rounds; FRESH=1 forgets the rounds that are there, else the missing ones are added
MINUTES=5    start no run after so long; the next call goes on where this one stopped
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks import plan, servers
from benchmarks.goals import GOALS, runs_of
from benchmarks.machine import describe
from benchmarks.results_file import MACHINE, MEASURES, ROUNDS, append_line, measures_of, read_lines
from benchmarks.running import NOISY, Run, Runner


def say(text: str) -> None:
    print(f"bench: {text}", file=sys.stderr, flush=True)


def wanted_runs(only: Sequence[str], stores: Sequence[str], *, quick: bool) -> list[Run]:
    runs = list(plan.all_runs(stores, quick=quick))
    if not only:
        return runs
    unknown = [name for name in only if not any(name in (goal.number, goal.measure) for goal in GOALS)]
    if unknown:
        raise SystemExit(f"bench: no such measure: {', '.join(unknown)}")
    names = {
        name
        for goal in GOALS
        if goal.number in only or goal.measure in only
        for store in stores
        for host in goal.hosts
        for name in runs_of(goal, store, host)
    }
    return [run for run in runs if run.name in names]


def main() -> int:
    options = _options()
    only = [name for name in options.only.split(",") if name]
    stores = tuple(options.stores.split(","))
    where = servers.named()
    servers.start(where)
    rounds_file = Path(options.rounds_file) if options.rounds_file else ROUNDS
    if options.quick:
        rounds_file = where.state / "quick.jsonl"
    if options.quick or options.fresh:
        rounds_file.unlink(missing_ok=True)
    machine = describe(where)
    say(f"durability: {json.dumps(machine['durability'])}")
    runs = wanted_runs(only, stores, quick=options.quick)
    runner = Runner(where, python=sys.executable, peer_python=options.peer_python)
    for store in {run.store for run in runs if run.is_grown}:
        runner.grow(store, 2_000 if options.quick else plan.GROWN_INSTANCES)
    until = time.monotonic() + 60 * options.minutes
    failed = play(runner, runs, rounds=1 if options.quick else options.rounds, file=rounds_file, until=until)
    lines = measures_of(read_lines(rounds_file), stores=stores, only=only)
    for line in lines:
        print(json.dumps(line), flush=True)
    if not options.quick and not options.rounds_file:
        MACHINE.write_text(json.dumps(machine, indent=1) + "\n")
        MEASURES.write_text("".join(json.dumps(line) + "\n" for line in measures_of(read_lines(ROUNDS))))
    for name in failed:
        say(f"failed: {name}")
    return 1 if failed else 0


def play(runner: Runner, runs: Sequence[Run], *, rounds: int, file: Path, until: float) -> list[str]:
    """Rounds until each run has so many, or time is up; returns the names of those that failed."""
    failed: list[str] = []
    for number in range(1, rounds + 1):
        done = [row["run"] for row in read_lines(file)]
        for run in runs:
            if done.count(run.name) >= number or run.name in failed:
                continue
            if time.monotonic() > until:
                say("time is up: call again to go on")
                return failed
            row = _one(runner, run, number)
            if row is None:
                failed.append(run.name)
            else:
                append_line(file, row)
    return failed


def _one(runner: Runner, run: Run, number: int) -> dict[str, Any] | None:
    try:
        row = runner.measure(run)
    except RuntimeError as error:
        say(str(error))
        return None
    noise = f", others took {row['others_percent']} %" if row["others_percent"] >= NOISY else ""
    say(f"round {number}: {run.name}: {row['rate']} a second, {row['cpu_ms_per_flow']} CPU ms{noise}")
    if row.get("wrong"):
        say(f"{run.name}: {row['wrong']} flows did not succeed")
        return None
    return {**row, "round": number, "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", default="")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--minutes", type=float, default=math.inf, help="start no run after so long")
    parser.add_argument("--fresh", action="store_true")
    parser.add_argument("--stores", default=",".join(servers.STORES))
    parser.add_argument("--peer-python", required=True, help="the interpreter of the peers' environment")
    parser.add_argument("--rounds-file", default="", help="keep the rounds there instead of in benchmarks/results")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
