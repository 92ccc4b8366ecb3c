"""CloudWatch as far as GetMetricData goes, with what was reported to it written down by hand.

Statistics are made of every single value, as documented: a trimmed count is exclusive at its lower
bound. It can be made to page, and to answer single series badly.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from math import ceil
from typing import TYPE_CHECKING, Any, cast

from bot.model.errors import QuarterdeckError

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch import CloudWatchClient

#: Metric, load balancer, target group.
Name = tuple[str, str, str]
_DIMENSIONS = ("LoadBalancer", "TargetGroup")


@dataclass
class FakeCloudWatch:
    """One region of one account. ``page`` is how many series an answer holds."""

    page: int = 500
    reported: dict[Name, dict[datetime, list[float]]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(list))
    )
    asked: list[Mapping[str, Any]] = field(default_factory=list)
    #: Statuses by metric and target group, in place of ``Complete``.
    statuses: dict[tuple[str, str], str] = field(default_factory=dict)
    #: Raised for each call that asks for this target group; "" is any.
    broken: dict[str, Exception] = field(default_factory=dict)
    #: Metrics that are missing in every answer.
    forgotten: set[str] = field(default_factory=set)

    def report(self, name: Name, at: datetime, values: Sequence[float]) -> None:
        self.reported[name][at].extend(values)

    def get_metric_data(self, **request: Any) -> dict[str, Any]:
        self.asked.append(request)
        queries = request["MetricDataQueries"]
        for group, fault in self.broken.items():
            if any(group in (_name(each)[2], "") for each in queries):
                raise fault
        first = int(request.get("NextToken", "0"))
        page = queries[first : first + self.page]
        answer: dict[str, Any] = {
            "MetricDataResults": [
                self._result(each, request) for each in page if _name(each)[0] not in self.forgotten
            ]
        }
        if first + self.page < len(queries):
            answer["NextToken"] = str(first + self.page)
        return answer

    def _result(self, query: Mapping[str, Any], request: Mapping[str, Any]) -> dict[str, Any]:
        name, stat = _name(query), query["MetricStat"]
        period = timedelta(seconds=stat["Period"])
        buckets: dict[datetime, list[float]] = defaultdict(list)
        for at, values in self.reported.get(name, {}).items():
            if request["StartTime"] <= at < request["EndTime"]:
                passed = (at - request["StartTime"]) // period
                buckets[request["StartTime"] + passed * period] += values
        return {
            "Id": query["Id"],
            "Label": name[0],
            "Timestamps": sorted(buckets),
            "Values": [statistic(stat["Stat"], buckets[at]) for at in sorted(buckets)],
            "StatusCode": self.statuses.get((name[0], name[2]), "Complete"),
        }


def statistic(stat: str, values: Sequence[float]) -> float:
    if stat == "Sum":
        return sum(values)
    if stat == "SampleCount":
        return len(values)
    if found := re.fullmatch(r"p(\d+)", stat):
        return sorted(values)[ceil(len(values) * int(found[1]) / 100) - 1]
    found = re.fullmatch(r"TC\(([0-9.]+):\)", stat)
    assert found is not None, f"no such statistic: {stat}"
    return sum(each > float(found[1]) for each in values)


def _name(query: Mapping[str, Any]) -> Name:
    metric = query["MetricStat"]["Metric"]
    assert metric["Namespace"] == "AWS/ApplicationELB"
    dimensions = {each["Name"]: each["Value"] for each in metric["Dimensions"]}
    return metric["MetricName"], *(dimensions.get(each, "") for each in _DIMENSIONS)


@dataclass
class FakeClouds:
    """CloudWatch by region and role, as ``AwsClients`` hands it out."""

    places: dict[tuple[str, str | None], FakeCloudWatch] = field(
        default_factory=lambda: defaultdict(FakeCloudWatch)
    )
    denied: dict[str | None, QuarterdeckError] = field(default_factory=dict)

    def cloudwatch(self, region: str, role: str | None = None) -> CloudWatchClient:
        if role in self.denied:
            raise self.denied[role]
        return cast("CloudWatchClient", self.places[region, role])
