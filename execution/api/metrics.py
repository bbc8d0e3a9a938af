"""The engine's gauges, each one bounded query; read when Prometheus asks."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from execution.selectors import figures


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
        yield GaugeMetricFamily("disttask_drivers", "Drivers that are alive", value=figures.drivers(now=now))
        yield GaugeMetricFamily("disttask_calls_in_flight", "Calls under way", value=figures.in_flight(now=now))
