"""The generated parts of docs/performance.md, from the lines of results. Nothing else writes between the marks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from benchmarks.goals import GOALS
from benchmarks.results_file import quiet_of
from benchmarks.running import NOISY, median
from benchmarks.safety import Safety

Line = Mapping[str, Any]
WORDS: Final = {"aim": "aim reached", "must": "must reached", "short": "**short**"}
PURE: Final = ("G16.validate", "G16.memory", "G16.draw")  # no store takes part in them
TITLES: Final = {goal.measure: goal.title for goal in GOALS}
UNITS: Final = {goal.measure: goal.unit for goal in GOALS}


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def number(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def ratios(lines: Sequence[Line], host: str, safeties: Mapping[str, Safety]) -> str:
    """Every measure of a host beside its goals. A row that the chaos suite does not stand behind is refused."""
    rows = [_ratio_row(line, safeties[line["store"]]) for line in lines if line["host"] == host]
    return table(["measure", "what", "store", "ours", "peer", "ratio", "must", "aim", "verdict", "rounds"], rows)


def _ratio_row(line: Line, safety: Safety) -> list[str]:
    start = [line["measure"], f"{TITLES[line['measure']]} ({line['unit']})", line["store"]]
    goals = [number(line["must"]), number(line["aim"])]
    if not safety.passed and line["measure"] not in PURE:
        return [*start, "-", "-", "-", *goals, f"refused: {safety.reason}", ""]
    verdict = WORDS[line["verdict"]] + (f" (noisy: others took {NOISY:g} % or more)" if line["noisy"] else "")
    return [
        *start,
        number(line["ours"]),
        number(line["peer"]),
        number(line["ratio"]),
        *goals,
        verdict,
        str(line["rounds"]),
    ]


def runs(rows: Sequence[Line]) -> str:
    """Every run: medians, spread, CPU by part, database work."""
    names = list(dict.fromkeys(row["run"] for row in rows))
    made = []
    for name in names:
        mine = quiet_of(rows, name)
        rates = [row["rate"] for row in mine]
        first = mine[0]
        if first["count"] == 1:
            continue
        parts = [part for part in ("python", first["store"], "stub") if part in first["cpu_ms_by_part"]]
        made.append(
            [
                name,
                f"{number(median(rates))} ({number(min(rates))}-{number(max(rates))})",
                str(len(mine)),
                number(median([row["cpu_ms_per_flow"] for row in mine])),
                " / ".join(number(median([row["cpu_ms_by_part"].get(part, 0.0) for row in mine])) for part in parts),
                _work(mine, "statements_per_flow", 1),
                _work(mine, "syncs_per_flow", 1),
                _work(mine, "log_bytes_per_flow", 1024),
                number(max(row["others_percent"] for row in mine)),
            ]
        )
    header = ["run", "flows/s (min-max)", "rounds", "CPU ms a flow", "of it Python / store / target"]
    return table([*header, "statements", "log flushes", "log kB", "others, % at most"], made)


def _work(rows: Sequence[Line], name: str, unit: float) -> str:
    values = [row[name] / unit for row in rows if name in row]
    return number(median(values)) if values else ""


def machine(facts: Mapping[str, Any]) -> str:
    durable = [
        f"- {store}: " + ", ".join(f"{name} {value}" for name, value in found.items())
        for store, found in facts["durability"].items()
    ]
    packages = ", ".join(f"{name} {version}" for name, version in facts["packages"].items())
    peers = ", ".join(f"{name} {version}" for name, version in facts["peers"].items())
    return "\n".join(
        [
            f"- {facts['cores']} cores ({facts['processor']}), {facts['memory_gb']} GB, {facts['system']}",
            f"- Python {facts['python']}, ours at revision {facts['revision']}: {packages}",
            f"- peers: {peers}",
            *durable,
        ]
    )


def safety(safeties: Mapping[str, Safety]) -> str:
    promises = sorted({name for each in safeties.values() for name in each.checked})
    rows = []
    for promise in promises:
        cells = [
            f"{each.broken[promise]:,} of {each.checked[promise]:,}" if promise in each.checked else "not run"
            for each in safeties.values()
        ]
        rows.append([promise, *cells])
    if not rows:
        return "`docs/safety.md` holds no counts of these stores yet: every row above is refused until it does."
    return table(["promise, broken of put to the test", *safeties], rows)
