"""The inbox's gauges."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from retries.selectors.records import open_by_state


class ExceptionCollector(Collector):
    """Exceptions that are not closed, by state."""

    def collect(self) -> Iterator[Metric]:
        gauge = GaugeMetricFamily(
            "disttask_exceptions", "Exceptions that are not closed, by state (counted up to a limit)", labels=["state"]
        )
        for state, count in open_by_state().items():
            gauge.add_metric([state], count)
        yield gauge
