"""Write the generated parts of docs/performance.md and docs/scaling.md, and the pictures, anew from the results.

`make bench-report`; python -m benchmarks.report does so without the pictures where matplotlib is missing.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from benchmarks import scaling_tables, tables
from benchmarks.results_file import MACHINE, ROUNDS, measures_of, read_lines
from benchmarks.safety import safeties
from benchmarks.servers import ROOT, STORES

PERFORMANCE: Final = ROOT / "docs/performance.md"
SCALING: Final = ROOT / "docs/scaling.md"
IMAGES: Final = ROOT / "docs/images"


def between_marks(text: str, name: str, content: str) -> str:
    """`text` with what stands between <!-- name --> and <!-- end name --> replaced. Raises if the marks are missing."""
    pattern = re.compile(rf"(<!-- {name} -->\n).*?(<!-- end {name} -->)", re.DOTALL)
    if not pattern.search(text):
        raise ValueError(f"the page has no marks for {name}")
    return pattern.sub(lambda found: f"{found[1]}\n{content}\n\n{found[2]}", text)


def rewrite(page: Path, parts: Mapping[str, str]) -> None:
    text = page.read_text()
    for name, content in parts.items():
        text = between_marks(text, name, content)
    page.write_text(text)


def main() -> None:
    rows = read_lines(ROUNDS)
    lines = measures_of(rows)
    proven = safeties(STORES)
    rewrite(
        PERFORMANCE,
        {
            "machine": tables.machine(json.loads(MACHINE.read_text())),
            "ratios": tables.ratios(lines, "runcluster", proven),
            "ratios-runengine": tables.ratios(lines, "runengine", proven),
            "safety": tables.safety(proven),
            "runs": tables.runs(rows),
        },
    )
    rewrite(
        SCALING,
        {
            "cost": scaling_tables.cost(rows),
            "clusters": scaling_tables.clusters(rows),
            **scaling_tables.simulated(rows),
        },
    )
    try:
        from benchmarks.plots import draw_all
    except ModuleNotFoundError as error:
        print(f"bench: no pictures: {error} (make bench-report draws them)", file=sys.stderr)
        return
    draw_all(rows, [line for line in lines if proven[line["store"]].passed], IMAGES)


if __name__ == "__main__":
    main()
