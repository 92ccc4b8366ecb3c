"""CloudWatch operations: reading metrics and alarms."""

from __future__ import annotations

import math
import re
from typing import Any

from bot.playground.aws.arrivals import MINUTE, Tally
from bot.playground.aws.elb_checks import validation
from bot.playground.aws.errors import AwsError
from bot.playground.aws.metrics import (
    COUNTED,
    NAMESPACE,
    RESPONSE_TIME,
    Alarm,
    is_statistic,
    total,
    value_of,
)
from bot.playground.aws.operations import Context, operation
from bot.playground.aws.records import Json

MOST_QUERIES = 500
MOST_DATAPOINTS = 100_800
MOST_ALARMS = 100
IDENTIFIER = re.compile(r"[a-z][a-zA-Z0-9_]*")


@operation("cloudwatch", "GetMetricData")
def get_metric_data(context: Context, request: Json) -> Json:
    """Statistics of up to 500 metrics, newest first unless told, paged by time."""
    queries = request["MetricDataQueries"]
    _check_queries(queries)
    start, end = request["StartTime"], request["EndTime"]
    if start >= end:
        raise validation("The parameter StartTime must be less than the parameter EndTime.")
    most = request.get("MaxDatapoints", MOST_DATAPOINTS)
    if not 1 <= most <= MOST_DATAPOINTS:
        raise validation(f"MaxDatapoints must be between 1 and {MOST_DATAPOINTS}.")
    token = request.get("NextToken") or "0"
    if not token.isdigit():
        raise AwsError("InvalidNextToken", "The next token specified is invalid.")
    shown = [each for each in queries if each.get("ReturnData", True)]
    each = max(most // max(len(shown), 1), 1)
    first = int(token) * each
    results, more = [], False
    for query in shown:
        points = _points(context, query["MetricStat"], (start, end))
        if request.get("ScanBy", "TimestampDescending") == "TimestampDescending":
            points.reverse()
        rest = len(points) > first + each
        more |= rest
        results.append(
            _result(query, points[first : first + each], "PartialData" if rest else "Complete")
        )
    page = {"NextToken": str(int(token) + 1)} if more else {}
    return {"MetricDataResults": results, "Messages": [], **page}


@operation("cloudwatch", "DescribeAlarms")
def describe_alarms(context: Context, request: Json) -> Json:
    """By names or by prefix, and by state; those that services watch are there of themselves."""
    known = {**_watched(context), **context.engine.metrics.alarms}
    names, prefix = request.get("AlarmNames"), request.get("AlarmNamePrefix", "")
    if names and prefix:
        raise validation("AlarmNames and AlarmNamePrefix cannot be used together.")
    state = request.get("StateValue")
    found = [
        alarm
        for name, alarm in sorted(known.items())
        if (not names or name in names) and name.startswith(prefix) and state in {None, alarm.state}
    ]
    size = request.get("MaxRecords", MOST_ALARMS)
    start = int(request.get("NextToken") or "0")
    more = {"NextToken": str(start + size)} if start + size < len(found) else {}
    shown = [_alarm(context, each) for each in found[start : start + size]]
    return {"MetricAlarms": shown, "CompositeAlarms": [], **more}


def _check_queries(queries: list[Json]) -> None:
    if len(queries) > MOST_QUERIES:
        raise validation("The collection MetricDataQueries must not have a size greater than 500.")
    if not queries:
        raise validation("The parameter MetricDataQueries is required.")
    names = [each["Id"] for each in queries]
    if len(set(names)) != len(names):
        raise validation("The values for parameter id in MetricDataQueries are not unique.")
    for number, each in enumerate(queries, 1):
        where = f"MetricDataQueries.member.{number}"
        if not IDENTIFIER.fullmatch(each["Id"]):
            raise validation(f"The value {each['Id']} for parameter {where}.Id is not matching.")
        if "MetricStat" not in each:
            raise validation(f"{where}: this simulator computes no expressions.")
        _check_stat(each["MetricStat"], where)


def _check_stat(given: Json, where: str) -> None:
    period = given["Period"]
    if period < MINUTE or period % MINUTE:
        raise validation(f"The parameter {where}.MetricStat.Period must be a multiple of 60.")
    if not is_statistic(given["Stat"]):
        raise validation(
            f"The value {given['Stat']} for parameter {where}.MetricStat.Stat is not supported."
        )


def _points(
    context: Context, given: Json, between: tuple[float, float]
) -> list[tuple[float, float]]:
    """Data points of one metric, oldest first; a period's is told at the period's start."""
    metric = given["Metric"]
    name = metric.get("MetricName", "")
    known = name in COUNTED or name == RESPONSE_TIME
    if metric.get("Namespace") != NAMESPACE or not known or not _has_unit(name, given):
        return []
    dimensions = {each["Name"]: each["Value"] for each in metric.get("Dimensions", [])}
    period, (start, end) = given["Period"], between
    first, last = math.floor(start / period), math.ceil(end / period)
    minutes = range(first * period // MINUTE, last * period // MINUTE)
    periods: dict[int, list[Tally]] = {}
    series = context.engine.metrics.series(context.estate, name, dimensions, minutes)
    for minute, tally in series.items():
        periods.setdefault(minute * MINUTE // period * period, []).append(tally)
    values = [
        (float(at), value_of(total(tallies), name, given["Stat"]))
        for at, tallies in periods.items()
    ]
    return [(at, value) for at, value in values if value is not None]


def _has_unit(name: str, given: Json) -> bool:
    unit = "Seconds" if name == RESPONSE_TIME else "Count"
    return bool(given.get("Unit", unit) == unit)


def _result(query: Json, points: list[tuple[float, float]], status: str) -> Json:
    return {
        "Id": query["Id"],
        "Label": query.get("Label") or query["MetricStat"]["Metric"].get("MetricName", ""),
        "Timestamps": [at for at, _ in points],
        "Values": [value for _, value in points],
        "StatusCode": status,
    }


def _watched(context: Context) -> dict[str, Alarm]:
    names: set[str] = set()
    for cluster in context.estate.clusters.values():
        for service in cluster.services.values():
            names.update(service.configuration.get("alarms", {}).get("alarmNames", []))
    return {name: Alarm(name) for name in names}


def _alarm(context: Context, it: Alarm) -> dict[str, Any]:
    estate = context.estate
    return {
        "AlarmName": it.name,
        "AlarmArn": f"arn:aws:cloudwatch:{estate.region}:{estate.account}:alarm:{it.name}",
        "ActionsEnabled": True,
        "StateValue": it.state,
        "StateReason": "Set by hand" if it.since else "Threshold not crossed",
        "StateUpdatedTimestamp": it.since or context.stamp,
    }
