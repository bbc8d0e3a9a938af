"""The fault suite: python -m tests.chaos [--quick] [--seed N] [--only F1,F3] [--stores sqlite,...] [--rounds N].

One line a count; exit 1 on any violation. What is done is kept in a progress file, one JSON line for each fault, store
and seed: a run that was stopped goes on where it was.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from tests.chaos.counts import Count, count_of, merged
from tests.chaos.plan import FAULTS, STORES, Fault
from tests.chaos.servers import program, server

ROOT: Final = Path(__file__).resolve().parents[2]
URLS: Final = {"mariadb": "DISTTASK_TEST_MARIADB", "postgres": "DISTTASK_TEST_POSTGRES"}
MOST_SECONDS: Final = 3600


def main(argv: Sequence[str]) -> int:
    options = parse(argv)
    options.progress.parent.mkdir(parents=True, exist_ok=True)
    done = {unit_of(row): row for row in read(options.progress) if is_sound(row)}
    results: list[Count] = []
    missing: list[str] = []
    with ExitStack() as stack:
        for store in options.stores:
            url = url_of(store, stack)
            if url is None:
                missing.append(store)
                continue
            for fault, seed in units(options, store):
                row = done.get((fault.id, store, seed, options.quick)) or play(fault, store, url, seed, options)
                counts = [count_of(each) for each in row["counts"]]
                print(*(each.line() for each in counts), sep="\n", flush=True)
                results += counts
    return summarize(results, missing)


def parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", type=lambda text: text.split(","), default=list(FAULTS))
    parser.add_argument("--stores", type=lambda text: text.split(","), default=list(STORES))
    parser.add_argument("--rounds", type=int, default=0, help="in place of each fault's own number")
    parser.add_argument("--progress", type=Path, default=ROOT / "var" / "chaos" / "progress.jsonl")
    return parser.parse_args(argv)


def units(options: argparse.Namespace, store: str) -> Iterator[tuple[Fault, int]]:
    for name in options.only:
        fault = FAULTS[name]
        if store in fault.stores:
            rounds = options.rounds or (1 if options.quick else fault.rounds)
            for seed in range(options.seed, options.seed + rounds):
                yield fault, seed


def url_of(store: str, stack: ExitStack) -> str | None:
    """A server that is named, else one of our own; None: there is none."""
    if store == "sqlite":
        return ""
    named = os.environ.get(URLS[store])
    if named:
        return named
    if program(store) is None:
        return None
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="disttask-chaos-server-")))
    return stack.enter_context(server(store, folder / store)).url


def play(fault: Fault, store: str, url: str, seed: int, options: argparse.Namespace) -> Mapping[str, Any]:
    command = [sys.executable, "-W", "ignore", "-m", "tests.chaos.one", fault.id, "--url", url, "--seed", str(seed)]
    started = time.monotonic()
    done = subprocess.run(
        [*command, *(["--quick"] if options.quick else [])],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        timeout=MOST_SECONDS,
        check=False,
    )
    last = done.stdout.splitlines()[-1] if done.stdout else ""
    counts = json.loads(last) if last.startswith("[") else [unfinished(fault, store)]
    row = {
        "fault": fault.id,
        "store": store,
        "seed": seed,
        "quick": options.quick,
        "seconds": round(time.monotonic() - started, 1),
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit(),
        "counts": counts,
    }
    with options.progress.open("a") as file:
        file.write(json.dumps(row) + "\n")
    return row


def unfinished(fault: Fault, store: str) -> dict[str, Any]:
    return Count(id=fault.id, what="the run itself came to no end", bad=1, of=1, store=store).as_dict()


def commit() -> str:
    done = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False
    )
    return done.stdout.strip()


def read(progress: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in progress.read_text().splitlines()] if progress.exists() else []


def unit_of(row: Mapping[str, Any]) -> tuple[str, str, int, bool]:
    return row["fault"], row["store"], row["seed"], row["quick"]


def is_sound(row: Mapping[str, Any]) -> bool:
    """A unit that broke a promise is played again."""
    return all(count_of(each).is_ok for each in row["counts"])


def summarize(results: Sequence[Count], missing: Sequence[str]) -> int:
    """All stores together, one line a promise."""
    print("== all stores")
    total = merged(Count(id=c.id, what=c.what, bad=c.bad, of=c.of, figures=c.figures) for c in results)
    for each in sorted(total, key=lambda count: (count.id[0], int(count.id[1:]), count.what)):
        print(each.line())
    stores = {each.store for each in results}
    broken = {each.store for each in results if not each.is_ok}
    print(Count(id="R13", what="stores on which a promise was broken", bad=len(broken), of=len(stores)).line())
    for store in missing:
        print(f"R13 not run: {store} (no server is named by {URLS[store]}, and none is installed)")
    return int(bool(broken) or not results)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
