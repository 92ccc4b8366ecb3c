"""GetMetricData, in as few calls as it allows: each series comes back with its values or a fault.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricData.html
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from math import isfinite
from typing import TYPE_CHECKING, Protocol

from bot.model.errors import AccessDenied, QuarterdeckError, Transient
from bot.providers.aws_faults import asking
from bot.providers.cloudwatch.series import Series
from bot.providers.ecs.reads import Account

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_cloudwatch.type_defs import (
        GetMetricDataInputTypeDef,
        MetricDataResultTypeDef,
    )

#: CloudWatch's limit per call.
SERIES_PER_CALL = 500
#: An answer that goes on for longer than this is given up.
PAGES = 20

#: Values by the beginning of their period.
Values = Mapping[datetime, float]


@dataclass(frozen=True, slots=True)
class Answers:
    """Series that were asked for, as they were answered."""

    values: Mapping[Series, Values]
    faults: Mapping[Series, QuarterdeckError] = field(default_factory=dict)

    def of(self, series: Series) -> Values:
        """Empty where nothing was reported. Raises where CloudWatch did not answer in full."""
        if series in self.faults:
            raise self.faults[series]
        return self.values[series]


@dataclass(slots=True)
class _Result:
    """What came for one series over all pages: the last status is the one that counts."""

    values: dict[datetime, float] = field(default_factory=dict)
    status: str = ""


class Clients(Protocol):
    """What is needed of ``AwsClients``."""

    def cloudwatch(self, region: str, role: str | None = None) -> CloudWatchClient:
        """A client that sends each call once."""
        ...


class CloudWatchReads:
    """Reads through shared clients; safe to share between threads."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    def ask(
        self, account: Account, series: Sequence[Series], begins: datetime, ends: datetime
    ) -> Answers:
        """Up to ``SERIES_PER_CALL`` different ones. ``ends`` is exclusive.

        Raises what concerns all of them: AWS that cannot be reached, throttles, or denies.
        """
        names = {f"s{number}": each for number, each in enumerate(series)}
        request: GetMetricDataInputTypeDef = {
            "MetricDataQueries": [each.query(name) for name, each in names.items()],
            "StartTime": begins,
            "EndTime": ends,
            "ScanBy": "TimestampAscending",
        }
        results: dict[str, _Result] = {name: _Result() for name in names}
        for page in self._pages(account, request):
            _add(page, results, account)
        faults = {
            names[name]: _fault(names[name], result.status, account)
            for name, result in results.items()
            if result.status != "Complete"
        }
        values: dict[Series, Values] = {
            names[name]: result.values for name, result in results.items()
        }
        return Answers(values, faults)

    def _pages(
        self, account: Account, request: GetMetricDataInputTypeDef
    ) -> Iterator[list[MetricDataResultTypeDef]]:
        client = self._clients.cloudwatch(*account)
        for _ in range(PAGES):
            with asking("cloudwatch:GetMetricData", account.region):
                answer = client.get_metric_data(**request)
                results, token = answer["MetricDataResults"], answer.get("NextToken")
            yield results
            if not token:
                return
            request = {**request, "NextToken": token}
        raise Transient(f"CloudWatch in {account.region} did not come to an end of its answer.")


def _add(
    page: Sequence[MetricDataResultTypeDef], results: dict[str, _Result], account: Account
) -> None:
    with asking("cloudwatch:GetMetricData", account.region):
        for each in page:
            result = results[each["Id"]]
            result.status = each["StatusCode"]
            for at, value in zip(each["Timestamps"], each["Values"], strict=True):
                if not isfinite(value):
                    raise ValueError(value)
                result.values[at.astimezone(UTC)] = value


def _fault(series: Series, status: str, account: Account) -> QuarterdeckError:
    """Missing values are never zeros: the series was not read."""
    named = f"{series.metric} of {series.target_group or series.load_balancer}"
    if status == "Forbidden":
        return AccessDenied(
            f"AWS denied cloudwatch:GetMetricData on {named} in {account.region}.",
            hint="Allow it in the IAM policy of the role that Quarterdeck uses.",
        )
    said = status or "no status"
    return Transient(f"CloudWatch in {account.region} did not answer {named} in full ({said}).")
