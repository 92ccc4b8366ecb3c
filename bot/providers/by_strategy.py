"""``Canaries`` over all strategies: each target's traffic is shifted by the one its plan names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from typing_extensions import override

from bot.model.canary import Aim, Stand
from bot.model.canary_plan import Strategy
from bot.model.canary_ports import Canaries
from bot.model.catalog import TargetSpec
from bot.model.errors import Misconfigured
from bot.model.rollout import Order


class CanariesByStrategy(Canaries):
    """One table."""

    def __init__(self, strategies: Mapping[Strategy, Canaries]) -> None:
        self._strategies = dict(strategies)

    @override
    def check(self, spec: TargetSpec) -> Sequence[str]:
        return self._of(spec).check(spec)

    @override
    def look(self, spec: TargetSpec, order: Order, revision: str, aim: Aim) -> Stand:
        return self._of(spec).look(spec, order, revision, aim)

    @override
    def toward(self, spec: TargetSpec, order: Order, revision: str, aim: Aim) -> Stand:
        return self._of(spec).toward(spec, order, revision, aim)

    def _of(self, spec: TargetSpec) -> Canaries:
        if spec.canary is None:
            raise Misconfigured(
                f"The catalog has no plan for canaries of {spec.key} any more.",
                hint="Put it back until this one has ended.",
            )
        if (found := self._strategies.get(spec.canary.strategy)) is None:
            raise Misconfigured(
                f"Quarterdeck cannot run canaries by {spec.canary.strategy} here.",
                reason_code="CANARY_IMPOSSIBLE",
                hint="Choose another strategy in the catalog, or deploy with --rolling.",
            )
        return found
