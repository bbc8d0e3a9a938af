"""One fault on one store, in a process of its own: python -m tests.chaos.one F1 --url ... --seed 1 [--quick].

Prints the counts as one JSON line.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from tests.chaos.plan import FAULTS
from tests.chaos.servers import server
from tests.chaos.stage import stage, store_of


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.one")
    parser.add_argument("faults", help="one or more, with commas: they share a stage")
    parser.add_argument("--url", default="")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args(argv)
    faults = [FAULTS[name] for name in options.faults.split(",")]
    with ExitStack() as stack:
        url, more = options.url, []
        if faults[0].own_server:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="disttask-chaos-server-")))
            more = [stack.enter_context(server(store_of(url), folder / "server"))]
            url = more[0].url
        first = faults[0]
        made = stack.enter_context(
            stage(url=url, seed=options.seed, quick=options.quick, lease=first.lease, more=first.environment)
        )
        counts = []
        for number, fault in enumerate(faults):
            if number:
                made.wipe()
            counts += fault.run(made, *more)
        broken = [each for each in counts if not each.is_ok]
        print(json.dumps([each.as_dict() for each in counts]), flush=True)
        if broken:
            raise SystemExit("\n".join(each.line() for each in broken))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
