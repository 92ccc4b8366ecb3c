"""Counts of one tick of one version, made of what Prometheus answered.

**Buckets.** A histogram only knows how many requests took no longer than each of its bounds, and
a threshold is hardly ever one of them. So

- the quantiles of the past are bounds themselves: those beyond which the share of requests comes
  nearest to a quarter, a twentieth, a hundredth;
- of the stable version therefore nothing has to be chosen; were its bounds to change meanwhile,
  it is the next one at or below, so that no less of it counts as slow;
- of the canary it is the next bound at or above, so that no request counts as slow that is not
  beyond what is tolerated. Far apart bounds cost power and no false alarm: between 0.5 and 1 s
  a canary has to become twice as slow before it is seen. ``doctor`` tells where that is so;
- what is over the limit that a user set is, of both, what is beyond the next bound at or above.

What has no histogram is not measured, and nothing of it is slow.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import inf, isfinite, log
from statistics import fmean, stdev

from bot.model.counts import Arm, Thresholds
from bot.model.errors import Transient
from bot.providers.prometheus.api import Series
from bot.providers.prometheus.promql import FAILED, MEDIAN, PART, REQUESTS, TIMED, WITHIN

#: The shares of requests that are to be beyond the quantiles.
BEYOND = (0.25, 0.05, 0.01)
#: Requests of a replica in an hour from which on its median says something about it.
ENOUGH = 100
#: Bounds and thresholds that differ by less are the same.
_SAME = 1e-9

_PerTick = dict[datetime, float]


@dataclass(frozen=True, slots=True)
class Bounds:
    """The buckets' bounds beyond which is counted; nothing is beyond ``inf``, all is beyond 0."""

    slow: tuple[float, float, float]
    gross: float
    over: float


class Counted:
    """One version's increments, tick by tick. ``tick_of`` is the tick that a moment belongs to.

    Raises ``Transient`` for what is no number.
    """

    def __init__(
        self, series: Sequence[Series], name: str, tick_of: Callable[[float], datetime]
    ) -> None:
        self._parts: dict[str, _PerTick] = defaultdict(lambda: defaultdict(float))
        self._within: dict[float, _PerTick] = defaultdict(lambda: defaultdict(float))
        for each in series:
            whose, _, part = each.metric.get(PART, "").rpartition(" ")
            if whose == name:
                found = self._within[_bound(each)] if part == WITHIN else self._parts[part]
                for at, value in each.samples:
                    found[tick_of(at)] += _number(value)

    @property
    def bounds(self) -> tuple[float, ...]:
        """Those of the histogram, ascending, without the last one, which is infinite."""
        return tuple(sorted(filter(isfinite, self._within)))

    def nearest(self, share: float) -> float | None:
        """The bound beyond which the share of all requests comes nearest to it; ``None`` where
        none was measured."""
        total = sum(self._parts[TIMED].values())
        if not total or not self.bounds:
            return None

        def away(bound: float) -> float:
            beyond = max(0.0, total - sum(self._within[bound].values()))
            return abs(log((beyond + 0.5) / (total + 1) / share))

        return min(self.bounds, key=away)

    def chosen(self, thresholds: Thresholds | None, *, canary: bool) -> Bounds | None:
        """The bounds that stand for the thresholds of one arm."""
        if thresholds is None:
            return None
        choose = self.at_or_above if canary else self._at_or_below
        first, second, third = map(choose, thresholds.slow)
        over = inf if thresholds.over is None else self.at_or_above(thresholds.over)
        return Bounds((first, second, third), choose(thresholds.gross), over)

    def arm(self, at: datetime, bounds: Bounds | None) -> Arm:
        """The tick, counted beyond those bounds."""
        requests = max(0, round(self._parts[REQUESTS].get(at, 0.0)))
        errors = min(max(0, round(self._parts[FAILED].get(at, 0.0))), requests)
        if bounds is None:
            return Arm(requests, errors)

        def beyond(bound: float) -> int:
            if bound == inf:
                return 0
            within = self._within[bound].get(at, 0.0) if bound else 0.0
            return min(max(0, round(self._parts[TIMED].get(at, 0.0) - within)), requests)

        first, second, third = map(beyond, bounds.slow)
        return Arm(
            requests, errors, (first, second, third), beyond(bounds.gross), beyond(bounds.over)
        )

    def at_or_above(self, threshold: float) -> float:
        """The next bound; ``inf`` where there is none."""
        return next((each for each in self.bounds if each >= threshold * (1 - _SAME)), inf)

    def _at_or_below(self, threshold: float) -> float:
        return max((each for each in self.bounds if each <= threshold * (1 + _SAME)), default=0.0)


def replicas_of(series: Sequence[Series], label: str) -> tuple[float, int]:
    """The deviation of replicas' medians, as a share of their mean, and of how many.

    Replicas that served too little to tell are left out. Without the label none is known.
    """
    requests, medians = _by_replica(series, TIMED, label), _by_replica(series, MEDIAN, label)
    known = [
        median
        for replica, median in medians.items()
        if replica and isfinite(median) and median > 0 and requests.get(replica, 0) >= ENOUGH
    ]
    deviation = stdev(known) / fmean(known) if len(known) > 1 else 0.0
    return deviation, len(known)


def _by_replica(series: Sequence[Series], part: str, label: str) -> Mapping[str, float]:
    return {
        each.metric.get(label, ""): value
        for each in series
        if each.metric.get(PART) == part
        for _, value in each.samples
    }


def _bound(series: Series) -> float:
    written = series.metric.get("le", "")
    try:
        return float(written)
    except ValueError:
        raise Transient(f"Prometheus names a bucket {written!r}, which is no number.") from None


def _number(value: float) -> float:
    if not isfinite(value):
        raise Transient(f"Prometheus counted {value}, which is no number.")
    return value
