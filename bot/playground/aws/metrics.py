"""CloudWatch's view of the traffic: metrics of AWS/ApplicationELB, published late, and alarms.

Sources: "CloudWatch metrics for your Application Load Balancer" (names, dimensions, reporting
criteria) and "CloudWatch statistics definitions".
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from bot.playground.aws import latency
from bot.playground.aws.arrivals import MINUTE, Flow, Tally
from bot.playground.aws.records import Estate

NAMESPACE = "AWS/ApplicationELB"
RESPONSE_TIME = "TargetResponseTime"
#: What a metric counts, and whether ELB tells it for each target group, too.
COUNTED: dict[str, tuple[Callable[[Tally], int], bool]] = {
    "RequestCount": (lambda tally: tally.requests, True),
    "HTTPCode_Target_2XX_Count": (lambda t: t.requests - t.errors - t.refused, True),
    "HTTPCode_Target_5XX_Count": (lambda tally: tally.errors, True),
    "TargetConnectionErrorCount": (lambda tally: tally.refused, True),
    "HTTPCode_ELB_5XX_Count": (lambda tally: tally.refused + tally.unserved, False),
    "HTTPCode_ELB_502_Count": (lambda tally: tally.refused, False),
    "HTTPCode_ELB_503_Count": (lambda tally: tally.unserved, False),
}
PLAIN = ("SampleCount", "Sum", "Average", "Minimum", "Maximum")
PERCENTILE = re.compile(r"p(\d{1,2}(?:\.\d{1,10})?|100)")
RANGE = re.compile(r"(TC|PR)\((\d*\.?\d*):(\d*\.?\d*)\)")


@dataclass
class Publication:
    """How late and how finished minutes appear, in the visitors' seconds.

    Each metric of a minute appears between ``least`` and ``most`` after the minute's end. A share
    ``revised`` of the minutes lacks up to ``missing`` of its counts until ``settled`` after it.
    """

    least: float = 60.0
    most: float = 120.0
    revised: float = 0.5
    missing: float = 0.1
    settled: float = 180.0


@dataclass
class Alarm:
    """An alarm's state, as somebody set it."""

    name: str
    state: str = "OK"
    since: float = 0.0


@dataclass
class Metrics:
    """What CloudWatch knows. ``alarms`` by name; ``moment`` is now, in seconds since 1970."""

    flow: Flow
    moment: Callable[[], float]
    seed: int
    publication: Publication = field(default_factory=Publication)
    alarms: dict[str, Alarm] = field(default_factory=dict)

    def set_alarm(self, name: str, state: str) -> None:
        """Let an alarm be ``OK``, in ``ALARM`` or without enough data (``INSUFFICIENT_DATA``)."""
        if state not in {"OK", "ALARM", "INSUFFICIENT_DATA"}:
            raise ValueError(f"An alarm is never {state}.")
        self.alarms[name] = Alarm(name, state, self.moment())

    def series(
        self, estate: Estate, metric: str, dimensions: Mapping[str, str], minutes: range
    ) -> dict[int, Tally]:
        """The tallies of a metric by minute (since 1970), as far as they are published by now."""
        keys = self._keys(estate, metric, dimensions)
        name = f"{metric}/{sorted(dimensions.items())}"
        there = {minute for key in keys for minute in self.flow.minutes.get(key, ())}
        found = {}
        for minute in sorted(there.intersection(minutes)):
            if self._published(name, minute):
                found[minute] = total([self._so_far(key, minute) for key in keys])
        return found

    def _keys(
        self, estate: Estate, metric: str, dimensions: Mapping[str, str]
    ) -> list[tuple[str, str | None]]:
        balancer = dimensions.get("LoadBalancer", "")
        arn = estate.arn("loadbalancer", balancer, "elasticloadbalancing")
        if set(dimensions) == {"LoadBalancer"}:
            return [key for key in self.flow.minutes if key[0] == arn]
        told = metric == RESPONSE_TIME or COUNTED[metric][1]
        if told and set(dimensions) == {"LoadBalancer", "TargetGroup"}:
            kind, _, name = dimensions["TargetGroup"].partition("/")
            return [(arn, estate.arn(kind, name, "elasticloadbalancing"))]
        return []

    def _published(self, name: str, minute: int) -> bool:
        age = self.moment() - (minute + 1) * MINUTE
        if age >= self.publication.most:
            return True
        span = self.publication.most - self.publication.least
        return age >= self.publication.least + span * self._chance(name, minute)

    def _so_far(self, key: tuple[str, str | None], minute: int) -> Tally:
        tally = self.flow.minutes.get(key, {}).get(minute, Tally())
        if self.moment() - (minute + 1) * MINUTE >= self.publication.settled:
            return tally
        chance = self._chance(f"{key}", minute)
        if chance >= self.publication.revised:
            return tally
        share = 1 - self.publication.missing * chance / self.publication.revised
        return _thinned(tally, share, np.random.default_rng([self.seed, minute]))

    def _chance(self, name: str, minute: int) -> float:
        """A number from 0 to 1 that belongs to this minute of this series."""
        return zlib.crc32(f"{self.seed}/{name}/{minute}".encode()) / 2**32


def _thinned(tally: Tally, share: float, rng: np.random.Generator) -> Tally:
    times = rng.binomial(tally.times, share)
    answered = int(times.sum())
    missing = int(tally.times.sum()) - answered
    return Tally(
        requests=tally.requests - missing,
        errors=min(int(rng.binomial(tally.errors, share)), answered),
        refused=tally.refused,
        unserved=tally.unserved,
        times=times,
    )


def total(tallies: Sequence[Tally]) -> Tally:
    """All of them together; a single one is not copied."""
    if len(tallies) == 1:
        return tallies[0]
    whole = Tally()
    for each in tallies:
        whole.add(each)
    return whole


def is_statistic(name: str) -> bool:
    """Whether it is one that is known here."""
    ranged = RANGE.fullmatch(name)
    return (
        name in PLAIN
        or bool(PERCENTILE.fullmatch(name))
        or bool(ranged and any(ranged.groups()[1:]))
    )


def value_of(tally: Tally, metric: str, statistic: str) -> float | None:
    """The statistic of a metric over a period; ``None`` where ELB reports no such data point."""
    if metric == RESPONSE_TIME:
        return _of_times(tally.times, statistic) if tally.times.any() else None
    count = COUNTED[metric][0](tally)
    if not count:
        return None
    # Each occurrence is a sample of its own, of value 1.
    return float(count) if statistic in {"Sum", "SampleCount"} else _of_ones(count, statistic)


def _of_ones(count: int, statistic: str) -> float:
    ranged = RANGE.fullmatch(statistic)
    if ranged is None:
        return 1.0
    kind, low, high = ranged.groups()
    inside = float(low or "-inf") < 1 <= float(high or "inf")
    return float(inside) * (count if kind == "TC" else 100.0)


def _of_times(times: latency.Counts, statistic: str) -> float:
    percentile, ranged = PERCENTILE.fullmatch(statistic), RANGE.fullmatch(statistic)
    if percentile is not None:
        return latency.quantile(times, float(percentile[1]) / 100)
    if ranged is not None:
        return _within(times, *ranged.groups())
    shortest, longest = latency.extremes(times)
    seconds, count = latency.seconds(times), float(times.sum())
    plain = {"Sum": seconds, "SampleCount": count, "Average": seconds / count}
    return {**plain, "Minimum": shortest, "Maximum": longest}[statistic]


def _within(times: latency.Counts, kind: str, low: str, high: str) -> float:
    """How many are above ``low`` and at most ``high``, or the percentage that they are."""
    total = float(times.sum())
    most = latency.below(times, float(high)) if high else total
    inside = round(most) - round(latency.below(times, float(low)) if low else 0.0)
    return float(inside) if kind == "TC" else 100.0 * inside / total
