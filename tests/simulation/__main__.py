"""By hand: `python -m tests.simulation --seeds 500 --start 0 [--bug NAME]`; a violation prints its seed and trace."""

from __future__ import annotations

import argparse
import sys
import time
from contextlib import nullcontext

from tests.simulation.bugs import ALL, planted
from tests.simulation.run import Broken, run_seed


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation")
    parser.add_argument("--seeds", type=int, default=500)
    parser.add_argument("--start", type=int, default=0)
    parser.add_argument("--bug", choices=ALL, help="plant a fault of our own")
    options = parser.parse_args()
    began = time.monotonic()
    steps = 0
    with planted(options.bug) if options.bug else nullcontext(frozenset[str]()) as switches:
        for seed in range(options.start, options.start + options.seeds):
            try:
                steps += run_seed(seed, bugs=switches).steps
            except Broken as broken:
                print(broken)
                return 1
    took = time.monotonic() - began
    print(f"{options.seeds} seeds, {steps} events, 0 violations, {options.seeds / took:.0f} seeds/s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
