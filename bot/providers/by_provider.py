"""``Rollouts`` over all providers: each target is rolled by the one its catalog entry names."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime

from typing_extensions import override

from bot.model.catalog import PROVIDERS, Provider, TargetSpec
from bot.model.deployment import Image
from bot.model.errors import QuarterdeckError
from bot.model.ports import Rollouts
from bot.model.rollout import Finding, Live, Looks, Observation, Order, Plan, ReadBack, Watched


class RolloutsByProvider(Rollouts):
    """One table; ``KeyError`` when this is made without one of the providers."""

    def __init__(self, providers: Mapping[Provider, Rollouts]) -> None:
        self._providers = {name: providers[name] for name in PROVIDERS}

    @override
    def live(self, spec: TargetSpec) -> Live:
        return self._providers[spec.provider].live(spec)

    @override
    def plan(self, spec: TargetSpec, image: Image) -> Plan:
        return self._providers[spec.provider].plan(spec, image)

    @override
    def prepare(self, spec: TargetSpec, order: Order) -> str:
        return self._providers[spec.provider].prepare(spec, order)

    @override
    def start(self, spec: TargetSpec, order: Order, revision: str) -> str | None:
        return self._providers[spec.provider].start(spec, order, revision)

    @override
    def read_back(self, spec: TargetSpec, order: Order, revision: str, since: datetime) -> ReadBack:
        return self._providers[spec.provider].read_back(spec, order, revision, since)

    @override
    def observe(self, watched: Sequence[tuple[TargetSpec, Watched]]) -> Looks:
        """What one provider cannot see keeps nothing of the others from being seen."""
        by_provider: dict[Provider, list[tuple[TargetSpec, Watched]]] = defaultdict(list)
        for spec, each in watched:
            by_provider[spec.provider].append((spec, each))
        seen: dict[str, Observation] = {}
        faults: dict[str, QuarterdeckError] = {}
        for provider, pairs in by_provider.items():
            try:
                looks = self._providers[provider].observe(pairs)
            except QuarterdeckError as fault:
                looks = Looks({}, {each.deployment_id: fault for _, each in pairs})
            seen |= looks.seen
            faults |= looks.faults
        return Looks(seen, faults)

    @override
    def usable(self, spec: TargetSpec, revision: str) -> str | None:
        return self._providers[spec.provider].usable(spec, revision)

    @override
    def examine(self, spec: TargetSpec) -> Sequence[Finding]:
        return self._providers[spec.provider].examine(spec)
