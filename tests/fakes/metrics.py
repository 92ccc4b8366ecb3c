"""A metrics source in memory. ``serve`` is what arrives; ``break_next`` makes a call fail.

It closes ticks by the same rule as every source (``bot.providers.ticks``), and counts beyond
thresholds exactly.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from math import ceil

from typing_extensions import override

from bot.model.canary import Arms, Past, Reading, Readings, Wanted
from bot.model.canary_ports import Metrics
from bot.model.catalog import TargetSpec
from bot.model.counts import Arm, Thresholds
from bot.model.deployment import Target
from bot.model.errors import Misconfigured, QuarterdeckError
from bot.model.rollout import Finding
from bot.providers.ticks import Closing


@dataclass(frozen=True, slots=True)
class Traffic:
    """What one version served in one tick: ``times`` are seconds, of each request; of those
    ``failed`` failed."""

    times: tuple[float, ...] = ()
    failed: int = 0

    def __add__(self, other: Traffic) -> Traffic:
        return Traffic(self.times + other.times, self.failed + other.failed)

    def arm(self, thresholds: Thresholds | None) -> Arm:
        """The tick, counted beyond the thresholds."""
        arm = Arm(len(self.times), self.failed)
        if thresholds is None:
            return arm
        first, second, third = map(self._beyond, thresholds.slow)
        over = 0 if thresholds.over is None else self._beyond(thresholds.over)
        return replace(
            arm, slow=(first, second, third), gross=self._beyond(thresholds.gross), over=over
        )

    def _beyond(self, threshold: float) -> int:
        return sum(each > threshold for each in self.times)


class FakeMetrics(Metrics):
    """Versions by their names in ``Arms``. ``pods`` is what ``past`` says of replicas.

    ``calls`` lists how many canaries each call to ``readings`` was for. ``findings`` are what it
    says to ``doctor``.
    """

    def __init__(self, closing: Closing | None = None, pods: tuple[float, int] = (0.0, 0)) -> None:
        self.closing = closing or Closing(60, timedelta(minutes=3))
        self.pods = pods
        self.calls: list[int] = []
        self.findings: list[Finding] = []
        self.examined: list[tuple[Target, datetime]] = []
        self._served: dict[tuple[str, datetime], Traffic] = defaultdict(Traffic)
        self._faults: list[QuarterdeckError] = []
        self._broken: dict[str, QuarterdeckError] = {}

    def serve(self, version: str, at: datetime, traffic: Traffic) -> None:
        """Let a version serve so much more in the tick that begins then."""
        self._served[version, at] += traffic

    def break_next(self, *faults: QuarterdeckError) -> None:
        """Raise these, one per call, before answering again."""
        self._faults += faults

    def break_version(self, version: str, fault: QuarterdeckError) -> None:
        """What is asked about this version fails from now on."""
        self._broken[version] = fault

    def examine(self, spec: TargetSpec, now: datetime) -> Sequence[Finding]:
        self.examined.append((spec.key, now))
        for fault in self._next_fault():
            raise fault
        return self.findings

    @override
    def past(self, spec: TargetSpec, arms: Arms, until: datetime) -> Past:
        for fault in (*self._next_fault(), *self._faults_of(arms.stable)):
            raise fault
        ticks = [self._served[arms.stable, at] for at in self.closing.hour(until)]
        times = sorted(time for tick in ticks for time in tick.times)
        quantiles = _quantiles(times) if times else None
        thresholds = Thresholds(quantiles, quantiles[1], None) if quantiles else None
        counted = tuple(tick.arm(thresholds) for tick in ticks)
        return Past(counted, self.closing.seconds, quantiles, self.pods)

    @override
    def readings(self, wanted: Sequence[Wanted], now: datetime) -> Readings:
        self.calls.append(len(wanted))
        broken = [*self._next_fault()]
        faults = {
            each.deployment_id: fault
            for each in wanted
            for fault in (*broken, *self._faults_of(each.arms.stable, each.arms.canary))
        }
        seen = {
            each.deployment_id: self._read(each, now)
            for each in wanted
            if each.deployment_id not in faults
        }
        return Readings(seen, faults)

    def _read(self, wanted: Wanted, now: datetime) -> Sequence[Reading]:
        arms = wanted.arms
        ticks = [
            Reading(
                at,
                self.closing.seconds,
                self._served[arms.canary, at].arm(wanted.canary),
                self._served[arms.stable, at].arm(wanted.stable),
            )
            for at in self.closing.whole(wanted.since, now)
        ]
        return self.closing.closed(ticks, now)

    def _next_fault(self) -> Iterator[QuarterdeckError]:
        if self._faults:
            yield self._faults.pop(0)

    def _faults_of(self, *versions: str) -> Iterator[QuarterdeckError]:
        for version in versions:
            if not version:
                yield Misconfigured("A version without a name cannot be told from the other.")
            elif version in self._broken:
                yield self._broken[version]


def _quantiles(times: Sequence[float]) -> tuple[float, float, float]:
    first, second, third = (times[ceil(len(times) * each) - 1] for each in (0.75, 0.95, 0.99))
    return first, second, third
