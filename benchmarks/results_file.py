"""The lines of results: a line a run and round, appended as they come, so that a bench that was stopped goes on."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from benchmarks import servers
from benchmarks.goals import GOALS, Goal, ratio_of, runs_of, verdict_of
from benchmarks.running import NOISY, median

RESULTS: Final = servers.ROOT / "benchmarks/results"
ROUNDS: Final = RESULTS / "rounds.jsonl"
MEASURES: Final = RESULTS / "measures.jsonl"
MACHINE: Final = RESULTS / "machine.json"

Rows = Sequence[Mapping[str, Any]]


def read_lines(path: Path) -> list[dict[str, Any]]:
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text().splitlines() if line.strip()]


def append_line(path: Path, row: Mapping[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        file.write(json.dumps(row) + "\n")


def measures_of(
    rows: Rows, *, stores: Iterable[str] = servers.STORES, only: Iterable[str] = ()
) -> list[dict[str, Any]]:
    """One line a goal, store and host, from the medians of the rounds that are there."""
    wanted = set(only)
    lines = []
    for goal in GOALS:
        if wanted and goal.number not in wanted and goal.measure not in wanted:
            continue
        for store in stores:
            for host in goal.hosts:
                line = _line(goal, store, host, rows)
                if line:
                    lines.append(line)
    return lines


def _line(goal: Goal, store: str, host: str, rows: Rows) -> dict[str, Any] | None:
    """None: one of its runs is missing."""
    ours_name, peer_name = runs_of(goal, store, host)
    ours_rows = quiet_of(rows, ours_name)
    peer_rows = quiet_of(rows, peer_name) if peer_name else []
    if not ours_rows or (peer_name and not peer_rows):
        return None
    ours = median([goal.figure(row) for row in ours_rows])
    peer = median([(goal.peer_figure or goal.figure)(row) for row in peer_rows]) if peer_name else None
    ratio = ratio_of(goal, ours, peer) if peer is not None else None
    return {
        "measure": goal.measure,
        "ours": _rounded(ours),
        "peer": None if peer is None else _rounded(peer),
        "ratio": None if ratio is None else _rounded(ratio),
        "must": goal.must,
        "aim": goal.aim,
        "store": store,
        "host": host,
        "unit": goal.unit,
        "verdict": verdict_of(goal, ours, ratio),
        "rounds": min(len(ours_rows), len(peer_rows) if peer_name else len(ours_rows)),
        "noisy": any(row["others_percent"] >= NOISY for row in [*ours_rows, *peer_rows]),
        "wrong": sum(row.get("wrong", 0) for row in ours_rows),
    }


def quiet_of(rows: Rows, name: str | None) -> Rows:
    """The rounds of a run; those beside which others were busy only where there are no better ones."""
    mine = [row for row in rows if row["run"] == name]
    return [row for row in mine if row["others_percent"] < NOISY] or mine


def _rounded(value: float) -> float:
    """Three digits that matter."""
    return float(f"{value:.3g}") if abs(value) < 1000 else round(value)
