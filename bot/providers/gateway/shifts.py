"""Bringing weights, images and counts of a canary into git, and following each until it is there.

A change is made once, in one commit; where it stands in git already nothing is written. So a shift
may be asked for again after any crash.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from threading import Lock

from bot.model.errors import Misconfigured
from bot.model.ports import Rollouts
from bot.model.rollout import End, Observation, Watched
from bot.providers.argo_rollouts.errands import Errand
from bot.providers.argo_rollouts.glimpses import Glimpses
from bot.providers.argocd.desired import Change, DesiredParts, DesiredState
from bot.providers.manifests import Spot

_REMEMBERED = 1024


@dataclass(frozen=True, slots=True)
class Shift:
    """One change of git: its commit's first line, and what is to stand where."""

    first: str
    changes: Mapping[Spot, Change]


class Shifts:
    """Safe to share between threads."""

    def __init__(
        self,
        desired: DesiredState,
        parts: DesiredParts,
        rollouts: Rollouts,
        ticks: Callable[[], float],
    ) -> None:
        self._glimpses = Glimpses(ticks)
        self._desired = desired
        self._parts = parts
        self._rollouts = rollouts
        self._lock = Lock()
        self._made: OrderedDict[tuple[str, str], str] = OrderedDict()

    def read(self, errand: Errand, *spots: Spot) -> list[str]:
        """What git says there now, or did a moment ago."""
        manifests = errand.spec.argocd.manifests

        def ask() -> list[str]:
            stated = self._parts.read(manifests, spots)
            return [stated.values[each] for each in spots]

        return self._glimpses.of(errand.order.deployment_id, spots, ask)

    def made(self, errand: Errand, shift: Shift) -> bool:
        """Whether git says it, as far as this process knows."""
        return self.commit(errand, shift) is not None

    def make(self, errand: Errand, shift: Shift) -> None:
        """Write it. Raises ``Terminal`` (STALE_FROM) where somebody else changed it meanwhile."""
        order = replace(
            errand.order, deployment_id=f"{errand.order.deployment_id}-canary", reason=""
        )
        manifests = errand.spec.argocd.manifests
        try:
            commit = self._parts.write(manifests, order, shift.first, shift.changes)
        finally:  # also where the answer was lost
            self._glimpses.forget(errand.order.deployment_id)
        with self._lock:
            self._made[errand.order.deployment_id, shift.first] = commit
            while len(self._made) > _REMEMBERED:
                self._made.popitem(last=False)

    def follow(self, errand: Errand, shift: Shift) -> Observation | None:
        """What Argo CD makes of it. Told that it is done, the next look asks git anew: what is
        looked for may have been changed since."""
        commit = self.commit(errand, shift)
        if commit is None:
            return None
        name = f"{errand.order.deployment_id}-{commit[:12]}"
        value = self._value(errand, commit)
        looks = self._rollouts.observe(
            [(errand.spec, Watched(name, value, commit, errand.aim.since))]
        )
        if name in looks.faults:
            raise looks.faults[name]
        seen = looks.get(name)
        if seen is not None and seen.end is End.SUCCEEDED:
            with self._lock:
                self._made.pop((errand.order.deployment_id, shift.first), None)
        return seen

    def commit(self, errand: Errand, shift: Shift) -> str | None:
        """Since which commit git says it, as far as this process knows."""
        with self._lock:
            return self._made.get((errand.order.deployment_id, shift.first))

    def _value(self, errand: Errand, commit: str) -> str:
        """What the stable version is to run at that commit: a shift leaves it alone."""
        manifests = errand.spec.argocd.manifests
        written = self._desired.at(manifests, commit)
        if written is None:
            raise Misconfigured(f"{manifests.file} says no image at {commit[:10]} any more.")
        return written.value
