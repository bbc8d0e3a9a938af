"""A speed counts only with the chaos table of the same configuration: `make chaos` on that store, nothing violated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from benchmarks.results_file import RESULTS, read_lines

CHAOS: Final = RESULTS / "chaos.jsonl"
KILLS: Final = "F1"  # kill -9 at every named point: without it there is no table


@dataclass(frozen=True, slots=True, kw_only=True)
class Safety:
    """What the chaos suite says of one store."""

    store: str
    faults: Sequence[str]
    checked: int
    violations: int

    @property
    def passed(self) -> bool:
        return KILLS in self.faults and self.checked > 0 and not self.violations

    @property
    def reason(self) -> str:
        if self.passed:
            return ""
        return f"{self.violations} violations" if self.violations else "no chaos table of this store"


def safety_of(store: str, rows: Sequence[Mapping[str, Any]]) -> Safety:
    """From the lines that `make chaos` keeps: the newest of each fault counts, and quick runs do not."""
    newest = {row["fault"]: row for row in rows if row["store"] == store and not row["quick"]}
    counts = [count for row in newest.values() for count in row["counts"]]
    return Safety(
        store=store,
        faults=sorted(newest),
        checked=sum(count["of"] for count in counts),
        violations=sum(count["bad"] for count in counts),
    )


def read_safety(store: str, path: Path = CHAOS) -> Safety:
    return safety_of(store, read_lines(path))
