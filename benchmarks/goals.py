"""What is measured and what it must reach: each goal takes figures of runs and gives ours, the peer's and their ratio.

A ratio is always written so that more is better; `must` and `aim` are compared with it. Limits without a peer
(seconds, megabytes, messages) have no ratio: there less is better.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from benchmarks import plan

Figure = Callable[[Mapping[str, Any]], float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """`ours` and `peer` are names of runs; `{store}` and `{host}` are put in. No peer: a limit on ours."""

    measure: str
    title: str
    unit: str
    ours: str
    peer: str | None
    figure: Figure
    must: float
    aim: float
    less_is_better: bool = False
    peer_figure: Figure | None = None
    hosts: Sequence[str] = ("runcluster",)

    @property
    def number(self) -> str:
        """G7 of G7.W3."""
        return self.measure.partition(".")[0]


def rate(row: Mapping[str, Any]) -> float:
    return float(row["rate"])


def cpu(row: Mapping[str, Any]) -> float:
    return float(row["cpu_ms_per_flow"])


def statements(row: Mapping[str, Any]) -> float:
    return float(row["statements_per_flow"])


def p50(row: Mapping[str, Any]) -> float:
    latencies = sorted(row["latencies_ms"])
    return float(latencies[len(latencies) // 2])


def named(name: str) -> Figure:
    return lambda row: float(row[name])


def messages_a_task(row: Mapping[str, Any]) -> float:
    return float(row["messages"] / row["count"] / 3)


BOTH: Final = ("runcluster", "runengine")


def _rate_goal(measure: str, workload: str, peer: str, goals: tuple[float, float], title: str, **more: Any) -> Goal:
    ours = plan.ours_name(workload, "{store}", "{host}", 2)
    must, aim = goals
    return Goal(
        measure=measure,
        title=title,
        unit="flows/s",
        ours=ours,
        peer=peer,
        figure=rate,
        must=must,
        aim=aim,
        **more,
    )


W1_OURS: Final = plan.ours_name("W1", "{store}", "{host}", 2)
GOALS: Final[Sequence[Goal]] = (
    _rate_goal("G1", "W1", "dbos W1", (6, 14), "W1, three http calls in a chain, to DBOS", hosts=BOTH),
    _rate_goal("G3", "W3", "dbos W3", (6, 16), "W3, one no-op, to DBOS", hosts=BOTH),
    _rate_goal("G4", "W2", "dbos W2", (6, 12), "W2, one, ten in parallel, one, to DBOS"),
    _rate_goal("G5", "W4", "dbos W4", (6, 14), "W4, a hundred no-ops in a chain, to DBOS"),
    _rate_goal("G6", "W1", "naive W1 {store}", (5, 20), "W1, to one queue message a task"),
    _rate_goal("G7.W1", "W1", "celery W1", (3, 8), "W1, to Celery on Redis (not durable)"),
    _rate_goal("G7.W3", "W3", "celery W3", (3, 6), "W3, to Celery on Redis (not durable)"),
    Goal(
        measure="G9",
        title="CPU of a W1 flow, all processes, to DBOS",
        unit="CPU ms a flow",
        ours=W1_OURS,
        peer="dbos W1",
        figure=cpu,
        must=5,
        aim=10,
        less_is_better=True,
        hosts=BOTH,
    ),
    _rate_goal("G10.W1", "W1", "ceiling W1 {store}", (0.2, 0.5), "W1, share of the batch ceiling"),
    _rate_goal("G10.W3", "W3", "ceiling W3 {store}", (0.2, 0.5), "W3, share of the batch ceiling"),
    Goal(
        measure="G11",
        title="p50 of one W1 flow at low load, to DBOS called in process",
        unit="ms",
        ours="disttask latency W1 {store}",
        peer="dbos latency W1",
        figure=p50,
        must=0.5,
        aim=1,
        less_is_better=True,
    ),
    Goal(
        measure="G13",
        title="database statements of a W1 flow, to DBOS",
        unit="statements a flow",
        ours=W1_OURS,
        peer="dbos W1",
        figure=statements,
        must=8,
        aim=30,
        less_is_better=True,
    ),
    Goal(
        measure="G14.single",
        title="REST start of one flow, to a plain one-row create",
        unit="requests/s",
        ours="rest {store}",
        peer="rest {store}",
        figure=named("single_rate"),
        peer_figure=named("plain_rate"),
        must=0.5,
        aim=0.9,
    ),
    Goal(
        measure="G14.bulk",
        title="REST start of 100 at once, by flow, to a plain one-row create",
        unit="flows/s",
        ours="rest {store}",
        peer="rest {store}",
        figure=named("bulk_rate"),
        peer_figure=named("plain_rate"),
        must=10,
        aim=20,
    ),
    Goal(
        measure="G15",
        title="queue messages of a flow task at saturation",
        unit="messages a task",
        ours=W1_OURS,
        peer=None,
        figure=messages_a_task,
        must=0.05,
        aim=0.01,
    ),
    *(
        Goal(
            measure=f"G16.{name}",
            title=f"a flow of 10,000 tasks: {title}",
            unit=unit,
            ours="dag {store}",
            peer=None,
            figure=named(figure),
            must=must,
            aim=aim,
        )
        for name, title, unit, figure, must, aim in (
            ("validate", "validated", "s", "validate_seconds", 2.0, 0.5),
            ("memory", "memory to validate", "MB", "validate_mb", 200.0, 200.0),
            ("draw", "drawn", "s", "draw_seconds", 2.0, 0.5),
            ("drive", "driven with no-ops", "s", "drive_seconds", 20.0, 5.0),
        )
    ),
    _rate_goal("G17", "W1", "", (0.9, 1), "W1 beside a million finished instances, to an empty store"),
    _rate_goal(
        "G18", "W1", plan.ours_name("W1", "{store}", "{host}", 1), (1.4, 1.65), "W1 on two engine processes, to one"
    ),
)


def runs_of(goal: Goal, store: str, host: str) -> tuple[str, str | None]:
    """The names of the runs that a goal compares on a store."""
    if goal.measure == "G17":
        return plan.grown_name(store), plan.ours_name("W1", store, host, 2)
    peer = goal.peer.format(store=store, host=host) if goal.peer else None
    return goal.ours.format(store=store, host=host), peer


def ratio_of(goal: Goal, ours: float, peer: float) -> float:
    return peer / ours if goal.less_is_better else ours / peer


def verdict_of(goal: Goal, ours: float, ratio: float | None) -> str:
    """aim, must or short."""
    if ratio is None:
        return "aim" if ours <= goal.aim else "must" if ours <= goal.must else "short"
    return "aim" if ratio >= goal.aim else "must" if ratio >= goal.must else "short"
