"""From rounds to measures: medians, ratios in which more is better, verdicts, and rows that are refused."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks import plan, tables
from benchmarks.goals import GOALS, runs_of
from benchmarks.report import between_marks
from benchmarks.results_file import measures_of
from benchmarks.safety import safety_of

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


def test_a_speed_without_its_chaos_table_is_refused() -> None:
    line = only("G1", [row(W1, rate=600), row("dbos W1")])
    passed = {"fault": "F1", "store": "mariadb", "quick": False, "counts": [{"bad": 0, "of": 2000}]}
    broken = {**passed, "fault": "F3", "counts": [{"bad": 1, "of": 20}]}
    for rows, word in (
        ([], "refused: no chaos table"),
        ([{**passed, "quick": True}], "refused: no chaos table"),
        ([{**passed, "store": "postgres"}], "refused: no chaos table"),
        ([passed, broken], "refused: 1 violations"),
        ([{**passed, "counts": [{"bad": 9, "of": 9}]}, passed], "must reached"),
    ):
        text = tables.ratios([line], "runcluster", {"mariadb": safety_of("mariadb", rows)})
        assert word in text
        assert ("600" in text) == word.startswith("must")


def test_only_what_stands_between_the_marks_is_written_anew() -> None:
    page = "before\n<!-- a -->\nold\n<!-- end a -->\nafter\n"
    assert between_marks(page, "a", "new") == "before\n<!-- a -->\n\nnew\n\n<!-- end a -->\nafter\n"
    with pytest.raises(ValueError, match="no marks for b"):
        between_marks(page, "b", "new")
