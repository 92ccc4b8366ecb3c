"""``Metrics`` on Prometheus: counters and histograms that the service itself exposes."""

from bot.providers.prometheus.metrics import PrometheusMetrics

__all__ = ["PrometheusMetrics"]
