"""The pictures of docs/performance.md, as PNG and SVG. Runs in the peers' environment, which holds matplotlib."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt

from benchmarks.results_file import quiet_of
from benchmarks.running import median

Rows = Sequence[Mapping[str, Any]]
COLOURS: Final = {"mariadb": "#c0765a", "postgres": "#336791", "peer": "#8a8f98"}
STORES: Final = ("mariadb", "postgres")
PEERS: Final = {
    "W1": ("dbos W1", "naive W1 mariadb", "naive W1 postgres", "celery W1"),
    "W2": ("dbos W2",),
    "W3": ("dbos W3", "django-q2 W3 mariadb", "django-q2 W3 postgres", "celery W3"),
    "W4": ("dbos W4",),
}
# The same lines give the same file: no dates, no random ids.
mpl.rcParams.update({"svg.hashsalt": "disttask", "font.size": 9, "axes.spines.top": False, "axes.spines.right": False})


def draw_all(rows: Rows, lines: Rows, folder: Path) -> list[Path]:
    made = []
    for name, draw, data in (
        ("bench-ratios", draw_ratios, lines),
        ("bench-rates", draw_rates, rows),
        ("bench-cpu", draw_cpu, rows),
    ):
        figure = draw(data)
        for suffix in ("png", "svg"):
            path = folder / f"{name}.{suffix}"
            metadata = {"Date": None} if suffix == "svg" else {"Software": None}
            figure.savefig(path, dpi=110, bbox_inches="tight", metadata=metadata)
            made.append(path)
        plt.close(figure)
    return made


def draw_ratios(lines: Rows) -> Any:
    """How far each measure is above or below its must (1 on the axis), with the aim as a tick."""
    shown = [line for line in lines if line["host"] == "runcluster"]
    names = list(dict.fromkeys(line["measure"] for line in shown))
    figure, axes = plt.subplots(figsize=(7.5, 0.34 * len(names) + 1.2))
    if not shown:
        axes.text(0.5, 0.5, "refused: no store has a passing chaos table", ha="center", transform=axes.transAxes)
    for line in shown:
        place = names.index(line["measure"]) + (0.18 if line["store"] == "postgres" else -0.18)
        axes.barh(place, max(_reached(line), 0.01), height=0.34, color=COLOURS[line["store"]])
        aim = line["aim"] / line["must"] if line["ratio"] is not None else line["must"] / line["aim"]
        axes.plot([aim, aim], [place - 0.18, place + 0.18], color="black", linewidth=1.2)
    axes.axvline(1, color="#b00020", linewidth=1)
    axes.set_xscale("log")
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    axes.set_xlabel("ratio reached / must (red line); black ticks are aims; log scale")
    _legend(axes, STORES)
    return figure


def _reached(line: Mapping[str, Any]) -> float:
    """Above 1: better than must."""
    if line["ratio"] is not None:
        return float(line["ratio"] / line["must"])
    return float(line["must"] / line["ours"]) if line["ours"] else 1000.0


def draw_rates(rows: Rows) -> Any:
    """Flows a second of everybody, a dot a round."""
    figure, grid = plt.subplots(2, 2, figsize=(9, 6))
    for axes, workload in zip(grid.flat, PEERS, strict=True):
        names = [f"disttask {workload} {store} runcluster x2" for store in STORES]
        names += [f"disttask {workload} {store} runengine x2" for store in STORES] + list(PEERS[workload])
        shown = [name for name in names if quiet_of(rows, name)]
        for place, name in enumerate(shown):
            rates = [row["rate"] for row in quiet_of(rows, name)]
            axes.barh(place, median(rates), color=_colour(name))
            axes.plot(rates, [place] * len(rates), "k.", markersize=3)
            axes.text(median(rates), place, f" {median(rates):,.4g}", va="center", fontsize=8)
        axes.set_yticks(range(len(shown)), [name.removesuffix(" x2").replace(f" {workload}", "") for name in shown])
        axes.invert_yaxis()
        axes.margins(x=0.18)
        axes.set_title(f"{workload}, flows/s", fontsize=9, loc="left")
    figure.tight_layout()
    return figure


def draw_cpu(rows: Rows) -> Any:
    """CPU of one W1 flow by who spends it."""
    names = [*(f"disttask W1 {store} runcluster x2" for store in STORES), *PEERS["W1"]]
    shown = [name for name in names if quiet_of(rows, name)]
    parts = ("python", "mariadb", "postgres", "redis", "stub")
    colours = ("#4b8b3b", COLOURS["mariadb"], COLOURS["postgres"], "#a33", "#bbb")
    figure, axes = plt.subplots(figsize=(7.5, 0.4 * len(shown) + 1))
    for place, name in enumerate(shown):
        left = 0.0
        for part, colour in zip(parts, colours, strict=True):
            spent = median([row["cpu_ms_by_part"].get(part, 0.0) for row in quiet_of(rows, name)])
            axes.barh(place, spent, left=left, color=colour, label=part if not place else None)
            left += spent
        axes.text(left, place, f" {left:.3g}", va="center", fontsize=8)
    axes.set_yticks(range(len(shown)), [name.removesuffix(" x2") for name in shown])
    axes.invert_yaxis()
    axes.set_xlabel("CPU ms of one W1 flow, all processes")
    axes.legend(fontsize=8, frameon=False)
    return figure


def _colour(name: str) -> str:
    if not name.startswith("disttask"):
        return COLOURS["peer"]
    return next(COLOURS[store] for store in STORES if f" {store} " in name)


def _legend(axes: Any, stores: Sequence[str]) -> None:
    handles = [plt.Rectangle((0, 0), 1, 1, color=COLOURS[store]) for store in stores]
    axes.legend(handles, stores, fontsize=8, frameon=False)
