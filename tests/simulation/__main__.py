"""By hand: `python -m tests.simulation --seeds 500 --start 0 [--bug NAME]`; a violation prints its seed and trace.

The long run: `python -m tests.simulation --claims 1000000 --workers 2 --resume var/simulation.json`; it goes on where
it was stopped, and keeps on counting.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from itertools import islice
from pathlib import Path

from tests.simulation.bugs import ALL, planted
from tests.simulation.run import Broken, run_seed

CHUNK = 250


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation")
    parser.add_argument("--seeds", type=int, help="how many to play; 500 if no --claims are asked for")
    parser.add_argument("--start", type=int, default=0)
    parser.add_argument("--claims", type=int, help="go on until so many claims were made")
    parser.add_argument("--workers", type=int, default=1, help="processes")
    parser.add_argument("--resume", type=Path, help="a file to count in, and to go on from")
    parser.add_argument("--bug", choices=ALL, help="plant a fault of our own")
    options = parser.parse_args()
    if options.seeds is None:
        options.seeds = sys.maxsize if options.claims else 500
    return Run(options).play()


class Run:
    """Seeds in chunks, and what they came to."""

    def __init__(self, options: argparse.Namespace) -> None:
        self._options = options
        self._count = {"next": options.start, "seeds": 0, "events": 0, "claims": 0, "violations": 0}
        self._broken: list[int] = []
        if options.resume is not None and options.resume.exists():
            kept = json.loads(options.resume.read_text())
            self._broken = kept.pop("broken")
            self._count = kept

    def play(self) -> int:
        began, before = time.monotonic(), self._count["seeds"]
        options = self._options
        with ProcessPoolExecutor(options.workers) as pool:
            chunks = self._chunks()
            for some in iter(lambda: list(islice(chunks, options.workers)), []):
                for part in pool.map(play_chunk, some, [options.bug] * len(some)):
                    self._add(part)
                self._keep(some[-1][1])
                took = time.monotonic() - began
                rate = (self._count["seeds"] - before) / took
                print(", ".join(f"{count} {name}" for name, count in self._count.items() if name != "next"), end="")
                print(f", {rate:.0f} seeds/s", flush=True)
        return 1 if self._broken else 0

    def _chunks(self) -> Iterator[tuple[int, int]]:
        end = self._options.start + self._options.seeds
        first = self._count["next"]
        while first < end and not (self._options.claims and self._count["claims"] >= self._options.claims):
            yield first, min(first + CHUNK, end)
            first += CHUNK

    def _add(self, part: dict[str, int | list[str]]) -> None:
        for broken in part.pop("broken", []):  # type: ignore[union-attr]
            print(broken)
            self._broken.append(int(str(broken).split(":", 1)[0].removeprefix("seed ")))
        for name, count in part.items():
            self._count[name] += int(count)  # type: ignore[arg-type]
        self._count["violations"] = len(self._broken)

    def _keep(self, following: int) -> None:
        self._count["next"] = following
        if self._options.resume is not None:
            self._options.resume.write_text(json.dumps({**self._count, "broken": self._broken}, indent=1) + "\n")


def play_chunk(chunk: tuple[int, int], bug: str | None) -> dict[str, int | list[str]]:
    """In a process of its own. With a bug planted it ends at the first violation."""
    seeds = events = claims = 0
    broken: list[str] = []
    for seed in range(*chunk):
        seeds += 1
        try:
            world = run_with(bug, seed)
        except Broken as violation:
            broken.append(str(violation))
            if bug is not None:
                break
        else:
            events += world[0]
            claims += world[1]
    return {"seeds": seeds, "events": events, "claims": claims, "broken": broken}


def run_with(bug: str | None, seed: int) -> tuple[int, int]:
    if bug is None:
        world = run_seed(seed)
    else:
        with planted(bug) as switches:
            world = run_seed(seed, bugs=switches)
    return world.steps, world.store.claims


if __name__ == "__main__":
    sys.exit(main())
