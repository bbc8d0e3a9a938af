"""One promise, counted: how often it was broken of how many times it was put to the test."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """`of` 0 is no proof of anything, so it counts as broken: a fault that never happened was not survived."""

    id: str  # of quality.md (R1) or of the fault catalogue (F4)
    what: str
    bad: int
    of: int
    store: str = ""
    figures: Mapping[str, float] = field(default_factory=dict)

    @property
    def is_ok(self) -> bool:
        return self.bad == 0 and self.of > 0

    def line(self) -> str:
        figures = "".join(f", {name} {value:g}" for name, value in self.figures.items())
        verdict = "ok" if self.is_ok else "VIOLATED"
        where = f"{self.store}: " if self.store else ""
        return f"{self.id} {self.bad} of {self.of} {verdict}  {where}{self.what}{figures}"

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def count_of(row: Mapping[str, Any]) -> Count:
    return Count(**row)


def merged(counts: Iterable[Count]) -> list[Count]:
    """Counts of the same promise on the same store, added up; of figures the worst is kept, of medians the last."""
    found: dict[tuple[str, str, str], Count] = {}
    for each in counts:
        key = (each.id, each.what, each.store)
        before = found.get(key)
        if before is None:
            found[key] = each
            continue
        names = {**before.figures, **each.figures}
        figures = {
            name: max(before.figures.get(name, value), each.figures.get(name, value)) for name, value in names.items()
        }
        found[key] = Count(
            id=each.id,
            what=each.what,
            store=each.store,
            bad=before.bad + each.bad,
            of=before.of + each.of,
            figures=figures,
        )
    return list(found.values())


def percentiles(values: Iterable[float], *, unit: str = "s") -> dict[str, float]:
    """Median, 99th and largest, rounded for a table."""
    ordered = sorted(values)
    if not ordered:
        return {}
    at = {f"p{part} {unit}": ordered[min(len(ordered) - 1, len(ordered) * part // 100)] for part in (50, 95, 99)}
    return {name: round(value, 3) for name, value in (at | {f"max {unit}": ordered[-1]}).items()}
