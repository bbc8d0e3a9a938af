"""The table of docs/safety.md from progress files: python -m tests.chaos.report FILE... rewrites it in place."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from tests.chaos.__main__ import read, unit_of
from tests.chaos.counts import Count, count_of, merged
from tests.chaos.plan import STORES

PAGE: Final = Path(__file__).resolve().parents[2] / "docs" / "safety.md"
BEGIN: Final = "<!-- made by python -m tests.chaos.report -->"
END: Final = "<!-- end -->"


def main(files: Sequence[str]) -> int:
    rows = {unit_of(row): row for file in files for row in read(Path(file))}
    before, _, rest = PAGE.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    PAGE.write_text(f"{before}{BEGIN}\n\n{table(rows.values())}\n{END}{after}")
    return 0


def table(rows: Iterable[Mapping[str, Any]]) -> str:
    """A line a promise, a column a store: broken of put to the test."""
    rows = list(rows)
    counts = merged(count_of(each) for row in rows for each in row["counts"])
    names = sorted({(each.id, each.what) for each in counts}, key=lambda name: (name[0][0], int(name[0][1:]), name[1]))
    found = {(each.id, each.what, each.store): each for each in counts}
    lines = [f"| # | what was counted | {' | '.join(STORES)} |", f"| --- | --- |{' --- |' * len(STORES)}"]
    for id_, what in names:
        cells = [_cell(found.get((id_, what, store))) for store in STORES]
        lines.append(f"| {id_} | {what} | {' | '.join(cells)} |")
    return "\n".join([*lines, "", *_where(rows)])


def _cell(count: Count | None) -> str:
    if count is None:
        return "not run"
    figures = "".join(f"<br>{name} {value:g}" for name, value in count.figures.items())
    shown = f"{count.bad} of {count.of:,}"
    return (shown if count.is_ok else f"**{shown}**") + figures


def _where(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    days = sorted({row["at"][:10] for row in rows})
    hours = sum(row["seconds"] for row in rows) / 3600
    quick = sum(row["quick"] for row in rows)
    units = ", ".join(sorted({row["fault"] for row in rows}, key=lambda name: (name[0], int(name[1:]))))
    when = " to ".join(dict.fromkeys([days[0], days[-1]]))
    line = (
        f"Run on {when}: {len(rows)} runs ({units}), {quick} of them in the short form, {hours:.1f} hours of running."
    )
    return [line]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
