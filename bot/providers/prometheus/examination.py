"""What ``doctor`` finds: whether a server may be asked, and can judge by what it has."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from math import inf

from bot.model.canary_plan import Prometheus, in_seconds
from bot.model.catalog import TargetSpec
from bot.model.rollout import Finding, Grade
from bot.providers.prometheus.api import PrometheusApi, Series
from bot.providers.prometheus.counts import BEYOND, Counted
from bot.providers.prometheus.promql import (
    LATELY,
    PART,
    REQUESTS,
    SCRAPES,
    Version,
    any_version,
)

NAMED = "canaries are judged by Prometheus"
_HOUR = 3600
#: Scrapes that are by so much rarer than said are not merely late.
_RARER = 1.5
#: A canary may be slower by so much at least (``analysis.plan``).
_SLOWER = 1.15
#: Buckets in which response times have to grow by more than this to be seen are far apart.
_FAR = 2.0


def examine(
    api: PrometheusApi, spec: TargetSpec, plan: Prometheus, now: datetime
) -> Sequence[Finding]:
    """Of the last hour, whatever version it was. Raises what the call does."""
    name = str(spec.key)
    version = Version(plan, any_version(plan.labels))
    series = api.at(plan.url, version.there(_HOUR), now)
    requests = {
        each.metric.get(plan.pod, ""): at[1]
        for each in _of(series, REQUESTS)
        for at in each.samples
    }
    if not requests:
        return [
            Finding(
                name,
                Grade.WARNING,
                f"{NAMED} at {plan.url}, which has no {plan.requests} by {plan.labels}",
                'Correct "requests" and "labels" of the canary\'s "prometheus".',
            )
        ]
    warnings = [
        Finding(name, Grade.WARNING, f"{NAMED}: {found}", advice)
        for found, advice in (
            *_replicas(plan, requests),
            *_scrapes(plan, series),
            *_times(plan, series),
        )
    ]
    total = round(sum(requests.values()))
    said = f"{NAMED}: {total:,} requests of {len(requests)} replicas in the last hour"
    return warnings or [Finding(name, Grade.OK, said)]


_Words = tuple[str, str]


def _of(series: Sequence[Series], part: str) -> Iterator[Series]:
    return (each for each in series if each.metric.get(PART) == part)


def _replicas(plan: Prometheus, requests: dict[str, float]) -> Iterator[_Words]:
    if "" in requests:
        yield (
            f'{plan.requests} has no label "{plan.pod}"',
            'Correct "pod": it tells replicas apart.',
        )


def _scrapes(plan: Prometheus, series: Sequence[Series]) -> Iterator[_Words]:
    counts = [value for each in _of(series, SCRAPES) for _, value in each.samples]
    every = timedelta(seconds=LATELY / max(counts, default=1))
    if counts and every > plan.scrape_interval * _RARER:
        yield (
            f"a scrape comes about every {every.total_seconds():.0f} s",
            f'Correct "scrape_interval", which is {plan.scrape_interval.total_seconds():.0f} s.',
        )


def _times(plan: Prometheus, series: Sequence[Series]) -> Iterator[_Words]:
    counted = Counted(series, "", lambda at: datetime.fromtimestamp(at, UTC))
    bounds = [bound for share in BEYOND if (bound := counted.nearest(share)) is not None]
    if not bounds:
        missing = (
            f"{plan.durations}_bucket is not there"
            if plan.durations
            else '"durations" is not given'
        )
        yield f"response times are not measured: {missing}", "Canaries are judged by errors alone."
        return
    seen = {bound: counted.at_or_above(bound * _SLOWER) for bound in bounds}
    worst = max(seen, key=lambda bound: seen[bound] / bound)
    if seen[worst] > worst * _FAR:
        told = "never" if seen[worst] == inf else f"only beyond {in_seconds(seen[worst])}"
        yield (
            f"a canary that is slower than {in_seconds(worst)} is {told} told from others",
            f"Give {plan.durations} bounds that are closer to each other there.",
        )
