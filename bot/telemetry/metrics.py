"""Prometheus metrics, most of them read from the database at each scrape.

So every replica reports the same truth, and nothing has to be counted twice to be counted right.
"""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Iterable

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from typing_extensions import override

from bot.model.errors import QuarterdeckError
from bot.model.ports import Store


class DatabaseCollector(Collector):
    """What is under way, by environment and state, and whether the database answers."""

    def __init__(self, store: Store) -> None:
        self._store = store

    @override
    def collect(self) -> Iterable[Metric]:
        """Read once per scrape; an unreachable database is a value, not a failed scrape."""
        active = GaugeMetricFamily(
            "quarterdeck_deployments_active",
            "Deployments that have not ended",
            labels=["environment", "status"],
        )
        up = GaugeMetricFamily("quarterdeck_database_up", "Whether the database answers")
        paused = GaugeMetricFamily("quarterdeck_paused", "Whether everything is paused")
        try:
            with self._store.read() as tx:
                rows = tx.deployments.active()
                paused.add_metric([], 1.0 if tx.holds.paused() else 0.0)
        except QuarterdeckError:
            up.add_metric([], 0.0)
            return [up]
        counts = Tally((d.target.environment, d.status.value) for d in rows)
        for (environment, status), count in sorted(counts.items()):
            active.add_metric([environment, status], count)
        up.add_metric([], 1.0)
        return [up, paused, active]


class Metrics:
    """The process's metrics: scraped at ``/metrics``."""

    def __init__(self, store: Store) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(DatabaseCollector(store))

    def render(self) -> tuple[bytes, str]:
        """The exposition text and its content type."""
        return generate_latest(self._registry), CONTENT_TYPE_LATEST
