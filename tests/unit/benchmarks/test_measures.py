"""From rounds to measures: medians, ratios in which more is better, verdicts, and rows that are refused."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks import plan, tables
from benchmarks.goals import GOALS, runs_of
from benchmarks.report import between_marks
from benchmarks.results_file import measures_of
from benchmarks.safety import read_safety

W1 = plan.ours_name("W1", "mariadb", "runcluster", 2)


def row(run: str, *, rate: float = 100.0, others: float = 0.0, **facts: Any) -> dict[str, Any]:
    return {"run": run, "rate": rate, "others_percent": others, "count": 300, "wrong": 0, **facts}


def only(measure: str, rows: list[dict[str, Any]]) -> dict[str, Any]:
    (line,) = [each for each in measures_of(rows, stores=["mariadb"], only=[measure]) if each["host"] == "runcluster"]
    return line


def test_a_measure_compares_medians() -> None:
    rows = [row(W1, rate=rate) for rate in (90, 700, 1000)] + [row("dbos W1", rate=rate) for rate in (40, 50, 60)]
    line = only("G1", rows)
    assert (line["ours"], line["peer"], line["ratio"], line["verdict"], line["rounds"]) == (700, 50, 14, "aim", 3)


def test_a_ratio_grows_where_less_is_better() -> None:
    rows = [row(W1, cpu_ms_per_flow=4.0), row("dbos W1", cpu_ms_per_flow=20.0)]
    line = only("G9", rows)
    assert (line["ratio"], line["verdict"]) == (5, "must")


def test_a_limit_has_no_peer() -> None:
    line = only("G15", [row(W1, messages=90)])
    assert (line["ours"], line["peer"], line["ratio"], line["verdict"]) == (0.1, None, None, "short")


def test_a_disturbed_round_counts_only_where_there_is_no_better() -> None:
    rows = [row(W1, rate=100, others=50), row(W1, rate=600), row("dbos W1", rate=100, others=50)]
    line = only("G1", rows)
    assert (line["ratio"], line["noisy"]) == (6, True)
    assert not only("G1", [row(W1), row("dbos W1")])["noisy"]


def test_no_measure_without_all_its_runs() -> None:
    assert measures_of([row(W1)], stores=["mariadb"], only=["G1"]) == []


@pytest.mark.parametrize("quick", [False, True])
def test_every_goal_finds_its_runs_in_the_plan(quick: bool) -> None:
    stores = ("mariadb", "postgres")
    names = [run.name for run in plan.all_runs(stores, quick=quick)]
    assert len(names) == len(set(names))
    for goal in GOALS:
        for store in stores:
            for host in goal.hosts:
                assert {name for name in runs_of(goal, store, host) if name} <= set(names), goal.measure


PAGE = """
| # | what was counted | sqlite | mariadb |
| --- | --- | --- | --- |
| R1 | starts lost | **1 of 9** | 0 of 2,000<br>p99 3 |
| R2 | effects unrecorded | 0 of 9 | 0 of 900 |
| R3 | twice | 0 of 9 | 0 of 10 |
| R3 | twice elsewhere | 0 of 9 | {third} |
| R4 | order | 0 of 9 | 0 of 10 |
| R5 | fences | 0 of 9 | {fifth} |

| another | table |
| --- | --- |
| R1 | 7 of 7 |
"""


@pytest.mark.parametrize(
    ("page", "word"),
    [
        (PAGE.format(third="0 of 5", fifth="0 of 5"), "must reached"),
        (PAGE.format(third="**2 of 5**", fifth="0 of 5"), "refused: the chaos suite broke R3"),
        (PAGE.format(third="0 of 5", fifth="not run"), "refused: no chaos table of this store for R5"),
        (PAGE.format(third="0 of 5", fifth="0 of 0"), "refused: no chaos table of this store for R5"),
        (PAGE.format(third="0 of 5", fifth="0 of 5").replace("mariadb", "postgres"), "refused: no chaos table"),
        ("", "refused: no chaos table"),
    ],
)
def test_a_speed_without_its_chaos_table_is_refused(page: str, word: str) -> None:
    line = only("G1", [row(W1, rate=600), row("dbos W1")])
    text = tables.ratios([line], "runcluster", {"mariadb": read_safety(page, "mariadb")})
    assert word in text
    assert ("600" in text) == word.startswith("must")


def test_only_what_stands_between_the_marks_is_written_anew() -> None:
    page = "before\n<!-- a -->\nold\n<!-- end a -->\nafter\n"
    assert between_marks(page, "a", "new") == "before\n<!-- a -->\n\nnew\n\n<!-- end a -->\nafter\n"
    with pytest.raises(ValueError, match="no marks for b"):
        between_marks(page, "b", "new")
