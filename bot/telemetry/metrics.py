"""Prometheus metrics, most of them read from the database at each scrape.

So every replica reports the same truth, and nothing has to be counted twice to be counted right.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from typing_extensions import override

from bot.model.deployment import ACTIVE, Kind, Status
from bot.model.errors import QuarterdeckError
from bot.model.ports import Store


class DatabaseCollector(Collector):
    """What is under way and how it ended, and whether the database answers."""

    def __init__(self, store: Store, catalog_broken: Callable[[], bool]) -> None:
        self._store = store
        self._catalog_broken = catalog_broken

    @override
    def collect(self) -> Iterable[Metric]:
        """Read once per scrape; an unreachable database is a value, not a failed scrape."""
        yield GaugeMetricFamily(
            "quarterdeck_catalog_broken",
            "Whether the catalog file cannot be used, and the last good one is in force",
            float(self._catalog_broken()),
        )
        yield from self._of_database()

    def _of_database(self) -> Iterable[Metric]:
        up = GaugeMetricFamily("quarterdeck_database_up", "Whether the database answers")
        try:
            with self._store.read() as tx:
                counts = tx.deployments.counts()
                paused, owed = tx.holds.paused() is not None, tx.outbox.owed()
        except QuarterdeckError:
            up.add_metric([], 0.0)
            return [up]
        up.add_metric([], 1.0)
        return [
            up,
            GaugeMetricFamily("quarterdeck_paused", "Whether everything is paused", paused),
            GaugeMetricFamily("quarterdeck_outbox_owed", "Messages owed to Slack", owed),
            *deployments(counts),
        ]


def deployments(counts: Mapping[tuple[str, Kind, Status], int]) -> Iterable[Metric]:
    """Deployments under way, and those that have ended, by environment, kind and state."""
    labels = ["environment", "kind", "status"]
    active = GaugeMetricFamily(
        "quarterdeck_deployments_active", "Deployments that have not ended", labels=labels
    )
    ended = CounterMetricFamily(
        "quarterdeck_deployments_ended", "Deployments that have ended", labels=labels
    )
    for (environment, kind, status), count in sorted(counts.items()):
        family = active if status in ACTIVE else ended
        family.add_metric([environment, kind.value, status.value], count)
    return active, ended


class Metrics:
    """The process's metrics: scraped at ``/metrics``."""

    def __init__(self, store: Store, catalog_broken: Callable[[], bool]) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(DatabaseCollector(store, catalog_broken))
        ProcessCollector(registry=self._registry)
        PlatformCollector(registry=self._registry)

    def render(self) -> tuple[bytes, str]:
        """The exposition text and its content type."""
        return generate_latest(self._registry), CONTENT_TYPE_LATEST
