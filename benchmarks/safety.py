"""A speed counts only with the chaos table of the same configuration: docs/safety.md, that store's column, unbroken."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from benchmarks.servers import ROOT

PAGE: Final = ROOT / "docs/safety.md"
NEEDED: Final = ("R1", "R2", "R3", "R4", "R5")
CELL: Final = re.compile(r"\**([\d,]+) of ([\d,]+)")


@dataclass(slots=True)
class Safety:
    """What the chaos suite says of one store: of each promise how often it was put to the test, and broken."""

    store: str
    checked: dict[str, int] = field(default_factory=dict)
    broken: dict[str, int] = field(default_factory=dict)

    def count(self, promise: str, broken: int, of: int) -> None:
        self.checked[promise] = self.checked.get(promise, 0) + of
        self.broken[promise] = self.broken.get(promise, 0) + broken

    @property
    def passed(self) -> bool:
        return not self.reason

    @property
    def reason(self) -> str:
        """Why a speed on this store does not count; empty: it does."""
        missing = [promise for promise in NEEDED if not self.checked.get(promise)]
        if missing:
            return f"no chaos table of this store for {', '.join(missing)}"
        broken = [promise for promise, count in self.broken.items() if count]
        return f"the chaos suite broke {', '.join(broken)}" if broken else ""


def read_safety(text: str, store: str) -> Safety:
    """From the table of docs/safety.md: `| # | what was counted | sqlite | mariadb | ... |`, cells `0 of 2,000`."""
    safety = Safety(store)
    column: int | None = None
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")] if line.startswith("|") else []
        if not cells:
            column = None
        elif cells[0] == "#":
            column = cells.index(store) if store in cells else None
        elif column is not None and (found := CELL.match(cells[column])):
            broken, of = (int(part.replace(",", "")) for part in found.groups())
            safety.count(cells[0], broken, of)
    return safety


def safeties(stores: tuple[str, ...], page: Path = PAGE) -> Mapping[str, Safety]:
    text = page.read_text() if page.exists() else ""
    return {store: read_safety(text, store) for store in stores}
