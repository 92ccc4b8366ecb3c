"""What is asked of CloudWatch for one version: names of metrics, their dimensions and statistics.

The load balancer's own errors (502, 503, 504) are reported for the load balancer alone:
``HTTPCode_ELB_5XX_Count`` has no dimension ``TargetGroup``. So what each target group's targets
answered is asked for too; ``counts`` says what is made of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bot.model.canary import Arms
from bot.model.catalog import TargetSpec
from bot.model.counts import Thresholds
from bot.model.errors import Misconfigured
from bot.providers.ecs.reads import Account

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch.type_defs import DimensionTypeDef, MetricDataQueryTypeDef

NAMESPACE = "AWS/ApplicationELB"
#: Seconds: a load balancer reports once a minute.
PERIOD = 60
HOUR = 3600
_ARN_PARTS = 6


@dataclass(frozen=True, slots=True)
class Series:
    """One metric by one statistic; without ``target_group`` it is the whole load balancer's,
    and without either it is none that is ever reported: whoever asks only learns if they may."""

    metric: str
    statistic: str
    load_balancer: str
    target_group: str = ""
    period: int = PERIOD

    def query(self, name: str) -> MetricDataQueryTypeDef:
        """As GetMetricData takes it; the answer bears ``name``."""
        dimensions: list[DimensionTypeDef] = [{"Name": "LoadBalancer", "Value": self.load_balancer}]
        if self.target_group:
            dimensions.append({"Name": "TargetGroup", "Value": self.target_group})
        return {
            "Id": name,
            "MetricStat": {
                "Metric": {
                    "Namespace": NAMESPACE,
                    "MetricName": self.metric,
                    "Dimensions": dimensions,
                },
                "Period": self.period,
                "Stat": self.statistic,
            },
        }


@dataclass(frozen=True, slots=True)
class Group:
    """A target group behind its load balancer: one version's share of the traffic."""

    load_balancer: str
    target_group: str

    @property
    def requests(self) -> Series:
        """Requests for which one of its targets was chosen."""
        return self._sum("RequestCount")

    def answers(self, status: int) -> Series:
        """What its targets themselves answered: ``5`` for 5xx."""
        return self._sum(f"HTTPCode_Target_{status}XX_Count")

    @property
    def refused(self) -> Series:
        """5xx of the load balancer itself, for any of its target groups or none."""
        return Series("HTTPCode_ELB_5XX_Count", "Sum", self.load_balancer)

    def slower(self, than: float) -> Series:
        """Answers that took longer. A trimmed count has no upper bound where none is given, and
        its lower one is exclusive; bounds have up to ten decimal places.

        https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Statistics-definitions.html
        """
        bound = f"{than:.10f}".rstrip("0").rstrip(".")
        return self._times(f"TC({bound}:)", PERIOD)

    def quantile(self, percentile: int) -> Series:
        """Response time in seconds, of an hour."""
        return self._times(f"p{percentile}", HOUR)

    @property
    def timed(self) -> Series:
        """How many answers' times an hour's quantiles are made of."""
        return self._times("SampleCount", HOUR)

    def counted(self, thresholds: Thresholds | None) -> Iterator[Series]:
        """Everything that an ``Arm`` is made of."""
        yield self.requests
        yield self.refused
        for status in (2, 3, 4, 5):
            yield self.answers(status)
        for bound in bounds(thresholds):
            yield self.slower(bound)

    def _sum(self, metric: str) -> Series:
        return Series(metric, "Sum", self.load_balancer, self.target_group)

    def _times(self, statistic: str, period: int) -> Series:
        return Series(
            "TargetResponseTime", statistic, self.load_balancer, self.target_group, period
        )


def bounds(thresholds: Thresholds | None) -> tuple[float, ...]:
    """Each response time beyond which is counted, once."""
    if thresholds is None:
        return ()
    over = () if thresholds.over is None else (thresholds.over,)
    return tuple(dict.fromkeys((*thresholds.slow, thresholds.gross, *over)))


def group_of(arms: Arms, arn: str) -> Group:
    """The target group of that ARN, as CloudWatch's dimensions name it.

    Raises ``Misconfigured`` where the two versions are not told apart by target groups.
    """
    name = arn.rpartition(":")[2]
    if not arn.startswith("arn:") or not name.startswith("targetgroup/") or not arms.load_balancer:
        raise Misconfigured(
            f"CloudWatch cannot tell the versions apart: {arn or 'nothing'!r} is no target group "
            "behind an Application Load Balancer.",
            hint='Judge this target\'s canaries by "prometheus".',
        )
    return Group(arms.load_balancer, name)


def account_of(spec: TargetSpec, arms: Arms) -> Account:
    """Whose CloudWatch counts them: the region of the target group, by the target's role."""
    parts = arms.stable.split(":")
    region = parts[3] if len(parts) == _ARN_PARTS else ""
    place = spec.ecs_place
    return Account(region or (place.region if place else ""), place.role if place else None)
