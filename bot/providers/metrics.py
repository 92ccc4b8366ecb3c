"""``Metrics`` over all sources: each target's canaries are judged by the one its plan names."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from typing_extensions import override

from bot.model.canary import Arms, Past, Reading, Readings, Wanted
from bot.model.canary_ports import Metrics
from bot.model.catalog import TargetSpec
from bot.model.errors import QuarterdeckError
from bot.model.rollout import Finding, Grade


class Source(Metrics, Protocol):
    """A source that can be examined."""

    def examine(self, spec: TargetSpec, now: datetime) -> Sequence[Finding]:
        """What ``doctor`` says of the target's canaries. Raises as every call does."""
        ...


class MetricsBySource(Metrics):
    """CloudWatch, which every load balancer reports to, unless the plan names a Prometheus."""

    def __init__(self, cloudwatch: Source, prometheus: Source) -> None:
        self._cloudwatch = cloudwatch
        self._prometheus = prometheus

    @override
    def past(self, spec: TargetSpec, arms: Arms, until: datetime) -> Past:
        return self._source(spec).past(spec, arms, until)

    @override
    def readings(self, wanted: Sequence[Wanted], now: datetime) -> Readings:
        """What one source cannot tell keeps nothing of the other from being told."""
        seen: dict[str, Sequence[Reading]] = {}
        faults: dict[str, QuarterdeckError] = {}
        for source in (self._cloudwatch, self._prometheus):
            asked = [each for each in wanted if self._source(each.spec) is source]
            if not asked:
                continue
            try:
                found = source.readings(asked, now)
            except QuarterdeckError as fault:
                found = Readings({}, {each.deployment_id: fault for each in asked})
            seen |= found.seen
            faults |= found.faults
        return Readings(seen, faults)

    def examine(self, spec: TargetSpec, now: datetime) -> Sequence[Finding]:
        """Whether the target's canaries could be judged now; nothing where it has none.

        One small question to the source. A fault is a finding too.
        """
        if spec.canary is None:
            return []
        try:
            return self._source(spec).examine(spec, now)
        except QuarterdeckError as fault:
            return [Finding(str(spec.key), Grade.ERROR, fault.message, fault.hint)]

    def _source(self, spec: TargetSpec) -> Source:
        named = spec.canary.prometheus if spec.canary is not None else None
        return self._cloudwatch if named is None else self._prometheus
