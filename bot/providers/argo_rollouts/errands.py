"""What every canary that git brings to a cluster has in common: one look, one move, one deed."""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from typing_extensions import override

from bot.model.canary import Aim, Stand
from bot.model.canary_ports import Canaries
from bot.model.catalog import TargetSpec
from bot.model.errors import Misconfigured
from bot.model.rollout import Order
from bot.providers.argo_rollouts.fitness import IMPOSSIBLE, Misfit
from bot.providers.argocd.applications import Applications, source_of
from bot.providers.argocd.sources import revision_of
from bot.providers.kube.cluster import Clusters


@dataclass(frozen=True, slots=True)
class Errand:
    """For which deployment one looks, and what is aimed at."""

    spec: TargetSpec
    order: Order
    revision: str
    aim: Aim


#: Makes the one change that brings the aim nearer.
Deed = Callable[[], None]


class Move(NamedTuple):
    """How it stands, and what to do about it; nothing where it is waited for, or is in the way."""

    stand: Stand
    deed: Deed | None = None


class ErrandCanaries(Canaries):
    """``Canaries`` whose every look ends in a ``Move``; made by its heirs."""

    def __init__(self, clusters: Clusters, ticks: Callable[[], float] = time.monotonic) -> None:
        self._clusters = clusters
        self._applications = Applications(clusters, ticks)

    @override
    def check(self, spec: TargetSpec) -> Sequence[str]:
        for wrong, advice in self._misfits(spec):
            raise Misconfigured(wrong, reason_code=IMPOSSIBLE, hint=advice)
        return self._warnings(spec)

    @override
    def look(self, spec: TargetSpec, order: Order, revision: str, aim: Aim) -> Stand:
        return self._move(Errand(spec, order, revision, aim)).stand

    @override
    def toward(self, spec: TargetSpec, order: Order, revision: str, aim: Aim) -> Stand:
        stand, deed = self._move(Errand(spec, order, revision, aim))
        if deed is not None:
            deed()
        return stand

    @abstractmethod
    def _misfits(self, spec: TargetSpec) -> Iterable[Misfit]:
        """Why it cannot be. Lazily: what is asked later may need what was found in order before."""

    def _warnings(self, spec: TargetSpec) -> Sequence[str]:
        """What is worth a word, where it can be."""
        del spec
        return ()

    @abstractmethod
    def _move(self, errand: Errand) -> Move:
        """What is seen, and what follows from it."""

    def _applies(self, errand: Errand) -> str | None:
        """The commit that Argo CD applies at this moment; ``None`` where it applies nothing."""
        place = errand.spec.argocd
        view = self._applications.find(place)
        running = view.under_way if view is not None else None
        if view is None or running is None:
            return None
        return revision_of(running.revisions, source_of(place, view))
