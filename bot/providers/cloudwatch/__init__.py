"""``Metrics`` on CloudWatch: what an Application Load Balancer counts for each target group.

Metrics, their dimensions and when they are reported:
https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-cloudwatch-metrics.html
"""

from bot.providers.cloudwatch.metrics import CloudWatchMetrics

__all__ = ["CloudWatchMetrics"]
