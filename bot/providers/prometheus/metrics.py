"""``Metrics`` on Prometheus: increments of counters, per replica and then summed.

``promql`` says how is counted, ``counts`` what histograms allow. A tick is a minute: counters
grow by whole scrapes, and a tick that is shorter than the scrape interval (a minute where
nothing else is configured) would now be empty and now count double. Where the plan says that
scrapes come every 15 seconds or more often, it is half a minute, which finds what is bad sooner.

A tick is handed out 30 seconds after its end: a scrape is stored by then, as it may take ten.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Self

from typing_extensions import override

from bot.model.canary import Arms, Past, Reading, Readings, Wanted
from bot.model.canary_plan import Prometheus
from bot.model.canary_ports import Metrics
from bot.model.catalog import TargetSpec
from bot.model.counts import Thresholds
from bot.model.errors import (
    AccessDenied,
    Misconfigured,
    QuarterdeckError,
    Throttled,
    Transient,
    Unreachable,
)
from bot.model.rollout import Finding
from bot.providers.batches import ask_together
from bot.providers.prometheus.api import PrometheusApi, Series, Span
from bot.providers.prometheus.counts import BEYOND, Counted, replicas_of
from bot.providers.prometheus.examination import examine
from bot.providers.prometheus.promql import Version, union, version_of, versions
from bot.providers.ticks import Closing

LAG = timedelta(seconds=30)
#: Scrapes that come so often fill ticks of half a minute.
OFTEN = timedelta(seconds=15)
#: Seconds between which increments are taken: the shorter, the fewer restarts go unseen.
STEP = 15
#: Canaries in one query. Servers limit what one may load.
TOGETHER = 5
_SERVERS = 8


def closing_of(plan: Prometheus) -> Closing:
    """How long ticks are, and when they are closed."""
    return Closing(30 if plan.scrape_interval <= OFTEN else 60, LAG)


def plan_of(spec: TargetSpec) -> Prometheus:
    """Raises ``Misconfigured`` where the target's canaries are not judged by Prometheus."""
    if spec.canary is None or spec.canary.prometheus is None:
        raise Misconfigured(f'{spec.key} has no canary that is judged by "prometheus".')
    return spec.canary.prometheus


def ticks_of(closing: Closing) -> Callable[[float], datetime]:
    """The tick that an increment belongs to, which is told at the end of its step."""

    def of(at: float) -> datetime:
        return datetime.fromtimestamp((round(at) - 1) // closing.seconds * closing.seconds, UTC)

    return of


@dataclass(frozen=True, slots=True)
class Asked:
    """What is wanted of one canary; ``ticks`` are those that are whole.

    ``number`` tells it from others in the same query.
    """

    wanted: Wanted
    number: int
    plan: Prometheus
    canary: Version
    stable: Version
    ticks: Sequence[datetime]

    @classmethod
    def of(cls, wanted: Wanted, number: int, now: datetime) -> Self:
        """Raises ``Misconfigured`` where the versions cannot be told apart."""
        plan = plan_of(wanted.spec)
        ticks = closing_of(plan).whole(wanted.since, now)
        return cls(wanted, number, plan, *versions(plan, wanted.arms), ticks)

    @property
    def ends(self) -> datetime:
        """The end of the last tick."""
        return self.ticks[-1] + closing_of(self.plan).length

    @property
    def query(self) -> Iterator[str]:
        """Both versions at once, so that they are of the same moment."""
        yield from self.canary.counted(f"canary {self.number}", STEP)
        yield from self.stable.counted(f"stable {self.number}", STEP)

    def read(self, series: Sequence[Series] | QuarterdeckError, now: datetime) -> Sequence[Reading]:
        """Closed ones. Raises where there is no answer, and ``Transient`` for what is no number."""
        if isinstance(series, QuarterdeckError):
            raise series
        closing = closing_of(self.plan)
        canary = Counted(series, f"canary {self.number}", ticks_of(closing))
        stable = Counted(series, f"stable {self.number}", ticks_of(closing))
        ours = canary.chosen(self.wanted.canary, canary=True)
        theirs = stable.chosen(self.wanted.stable, canary=False)
        ticks = [
            Reading(at, closing.seconds, canary.arm(at, ours), stable.arm(at, theirs))
            for at in self.ticks
        ]
        return closing.closed(ticks, now)


class PrometheusMetrics(Metrics):
    """Safe to share between threads."""

    def __init__(self, api: PrometheusApi) -> None:
        self._api = api

    @override
    def past(self, spec: TargetSpec, arms: Arms, until: datetime) -> Past:
        plan = plan_of(spec)
        closing = closing_of(plan)
        stable = version_of(plan, arms.stable)  # the canary's pods may have no name yet
        ticks = closing.hour(until)
        ends = ticks[-1] + closing.length
        # One increment for each tick: an hour by shorter steps is more than servers let load.
        span = Span(ticks[0] + closing.length, ends, closing.seconds)
        series = self._api.over(plan.url, union(stable.counted("stable", span.step)), span)
        counted = Counted(series, "stable", ticks_of(closing))
        quantiles = quantiles_of(counted)
        thresholds = Thresholds(quantiles, quantiles[1], None) if quantiles else None
        bounds = counted.chosen(thresholds, canary=False)
        pods = (0.0, 0)
        if quantiles is not None:
            found = self._api.at(plan.url, stable.replicas(len(ticks) * closing.seconds), ends)
            pods = replicas_of(found, plan.pod)
        arms_by_tick = tuple(counted.arm(at, bounds) for at in ticks)
        if not any(arm.requests for arm in arms_by_tick):
            self._must_be_idle(plan, stable, (ticks[-1], until))
        return Past(arms_by_tick, closing.seconds, quantiles, pods)

    def _must_be_idle(
        self, plan: Prometheus, version: Version, between: tuple[datetime, datetime]
    ) -> None:
        """Raise ``Transient`` where a version is too new for anything of it to be counted.

        Where pods are told apart by their hash, what has just taken over has no past at all, and
        might be taken for a service without traffic.
        """
        before, now = (self._api.at(plan.url, version.exposed, moment) for moment in between)
        if now and not before:
            raise Transient("What runs now began so lately that nothing of it is counted yet.")

    def examine(self, spec: TargetSpec, now: datetime) -> Sequence[Finding]:
        """What ``doctor`` says of the target's canaries. Raises as every call does."""
        return examine(self._api, spec, plan_of(spec), now)

    def close(self) -> None:
        """Close connections that are kept."""
        self._api.close()

    @override
    def readings(self, wanted: Sequence[Wanted], now: datetime) -> Readings:
        seen: dict[str, Sequence[Reading]] = {}
        faults: dict[str, QuarterdeckError] = {}
        by_server: dict[str, list[Asked]] = defaultdict(list)
        for number, each in enumerate(wanted):
            try:
                asked = Asked.of(each, number, now)
            except Misconfigured as fault:
                faults[each.deployment_id] = fault
                continue
            if asked.ticks:
                by_server[asked.plan.url].append(asked)
            else:
                seen[each.deployment_id] = ()
        for one, series in self._answers(by_server):
            try:
                seen[one.wanted.deployment_id] = one.read(series, now)
            except QuarterdeckError as fault:
                faults[one.wanted.deployment_id] = fault
        return Readings(seen, faults)

    def _answers(self, by_server: Mapping[str, Sequence[Asked]]) -> Iterator[_Answer]:
        """Servers are asked side by side: one that is slow keeps nobody waiting for another."""
        if len(by_server) < 2:  # noqa: PLR2004  side by side takes two
            for url, asked in by_server.items():
                yield from self._of_server(url, asked)
            return
        with ThreadPoolExecutor(_SERVERS, thread_name_prefix="prometheus") as threads:
            for answers in threads.map(self._of_server, by_server, by_server.values()):
                yield from answers

    def _of_server(self, url: str, asked: Sequence[Asked]) -> Sequence[_Answer]:
        def ask(batch: Sequence[Asked]) -> Sequence[Series]:
            begins = min(each.ticks[0] for each in batch) + timedelta(seconds=STEP)
            span = Span(begins, max(each.ends for each in batch), STEP)
            return self._api.over(url, union(one for each in batch for one in each.query), span)

        answers: list[_Answer] = []
        for batch in batches(asked):
            answers += ask_together(batch, ask, _may_be_of_one)
            last = answers[-1][1]
            if isinstance(last, Unreachable):  # it is not waited for again and again
                return [*answers, *((each, last) for each in asked[len(answers) :])]
        return answers


_Answer = tuple[Asked, Sequence[Series] | QuarterdeckError]


def batches(asked: Sequence[Asked]) -> Iterator[Sequence[Asked]]:
    """A few at once, in order; who is far behind is asked about apart."""
    batch: list[Asked] = []
    for each in asked:
        if len(batch) == TOGETHER or (batch and not _meet(each, batch[0])):
            yield batch
            batch = []
        batch.append(each)
    if batch:
        yield batch


def _meet(one: Asked, other: Asked) -> bool:
    return one.ticks[0] <= other.ends and other.ticks[0] <= one.ends


def _may_be_of_one(fault: QuarterdeckError) -> bool:
    """A query that is wrong, or too much for the server."""
    return not isinstance(fault, Unreachable | AccessDenied | Throttled)


def quantiles_of(counted: Counted) -> tuple[float, float, float] | None:
    """The histogram's bounds nearest to them; ``None`` where response times are not measured."""
    first, second, third = (counted.nearest(share) for share in BEYOND)
    if first is None or second is None or third is None or first <= 0:
        return None
    return first, second, third
