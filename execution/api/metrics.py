"""The engine's gauges, each one bounded query; read when Prometheus asks."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from execution.selectors import figures, targets
from execution.selectors.drift import reconciled


class EngineCollector(Collector):
    """Instances by status, what waits for a person, how long the oldest new one has waited, and who is at work."""

    def collect(self) -> Iterator[Metric]:
        now = datetime.now(UTC)
        statuses = GaugeMetricFamily(
            "disttask_instances", "Instances that have not ended, by status (counted up to a limit)", labels=["status"]
        )
        for status, count in figures.open_by_status().items():
            statuses.add_metric([status], count)
        yield statuses
        yield GaugeMetricFamily(
            "disttask_instances_needing_attention",
            "Instances that wait for a person",
            value=figures.needing_attention(),
        )
        yield GaugeMetricFamily(
            "disttask_start_lag_seconds",
            "How long the oldest instance has waited to be taken up",
            value=figures.start_lag(now=now),
        )
        yield from _targets(now)
        yield GaugeMetricFamily("disttask_drivers", "Drivers that are alive", value=figures.drivers(now=now))
        yield GaugeMetricFamily("disttask_calls_in_flight", "Calls under way", value=figures.in_flight(now=now))
        looked, healed = reconciled()
        yield CounterMetricFamily("disttask_reconciler_looked", "Instances the reconciler has looked at", value=looked)
        yield CounterMetricFamily("disttask_reconciler_healed", "Disagreeing rows it has mended", value=healed)


def _targets(now: datetime) -> Iterator[Metric]:
    """Of each target lately called: whether calls may go, how the last minute went, and who waits for it."""
    families = {
        "open": GaugeMetricFamily("disttask_target_open", "1 unless its breaker is closed", labels=["target"]),
        "calls": GaugeMetricFamily("disttask_target_calls", "Calls that ended in the window", labels=["target"]),
        "errors": GaugeMetricFamily("disttask_target_errors", "... of them, failed by the target", labels=["target"]),
        "p95": GaugeMetricFamily("disttask_target_p95_seconds", "Their latency", labels=["target"]),
        "parked": GaugeMetricFamily("disttask_target_parked", "Instances parked for it", labels=["target"]),
    }
    for view in targets.list_targets(now=now):
        families["open"].add_metric([view.id], float(targets.is_shut(view)))
        families["calls"].add_metric([view.id], view.figures.calls)
        families["errors"].add_metric([view.id], view.figures.errors)
        families["parked"].add_metric([view.id], view.parked)
        if view.figures.p95 is not None:
            families["p95"].add_metric([view.id], view.figures.p95 / 1000)
    yield from families.values()
