"""Write the generated parts of docs/performance.md and its pictures anew from the results: `make bench-report`."""

from __future__ import annotations

import json
import re
import sys
from typing import Final

from benchmarks import tables
from benchmarks.results_file import MACHINE, ROUNDS, measures_of, read_lines
from benchmarks.safety import read_safety
from benchmarks.servers import ROOT, STORES

PAGE: Final = ROOT / "docs/performance.md"
IMAGES: Final = ROOT / "docs/images"


def between_marks(text: str, name: str, content: str) -> str:
    """`text` with what stands between <!-- name --> and <!-- end name --> replaced. Raises if the marks are missing."""
    pattern = re.compile(rf"(<!-- {name} -->\n).*?(<!-- end {name} -->)", re.DOTALL)
    if not pattern.search(text):
        raise ValueError(f"the page has no marks for {name}")
    return pattern.sub(lambda found: f"{found[1]}\n{content}\n\n{found[2]}", text)


def main() -> None:
    rows = read_lines(ROUNDS)
    lines = measures_of(rows)
    safeties = {store: read_safety(store) for store in STORES}
    text = PAGE.read_text()
    for name, content in (
        ("machine", tables.machine(json.loads(MACHINE.read_text()))),
        ("ratios", tables.ratios(lines, "runcluster", safeties)),
        ("ratios-runengine", tables.ratios(lines, "runengine", safeties)),
        ("safety", tables.safety(safeties)),
        ("runs", tables.runs(rows)),
    ):
        text = between_marks(text, name, content)
    PAGE.write_text(text)
    try:
        from benchmarks.plots import draw_all
    except ModuleNotFoundError as error:
        print(f"bench: no pictures: {error} (make bench-report draws them)", file=sys.stderr)
        return
    draw_all(rows, lines, IMAGES)


if __name__ == "__main__":
    main()
