"""The site that is a Rollout in the cluster: its pods get requests by the weights of its step."""

from __future__ import annotations

from collections.abc import Mapping

from typing_extensions import override

from bot.playground.aws.world import World
from bot.playground.kube import KubeWorld
from bot.playground.page.arms import Arm, Arms, Recent, Site, Subject
from bot.playground.page.subjects import Releases
from bot.playground.slack.refusal import CannotDo
from bot.playground.tour.pod_visitors import PER_SECOND
from bot.playground.visits import Visits
from bot.playground.visits.serving import Serving

_ALL = 100


class Pods(Site):
    """One Rollout; somebody else may tell it what ``kubectl argo rollouts`` can."""

    behind = "Ingress"
    hands: Mapping[str, tuple[int, int]] = {"abort": (_ALL, 0), "promote --full": (0, _ALL)}
    deed = "told the Rollout of {where} to {hand}"

    def __init__(
        self, world: World, kube: KubeWorld, visits: Visits, place: tuple[str, str]
    ) -> None:
        self.environment, self.service = place
        self.per_second = PER_SECOND
        self._place = place
        self._kube = kube
        self._visits = visits
        self._releases = Releases(world, self.service)

    @override
    def arms(self) -> Arms:
        found = self._visits.serving(*self._place)
        return Arms(self._arm(found, found.stable), self._arm(found, found.canary))

    def _arm(self, found: Serving, pods: str) -> Arm:
        all_of = [each for each in found.pods if each.hash == pods and pods]
        digest = all_of[0].image.partition("@")[2] if all_of else ""
        version = self._releases.tag(digest) if all_of else ""
        weight = round(found.shares.get(pods, 0.0) * _ALL)
        return Arm(weight, version, digest, sum(each.ready for each in all_of), len(all_of))

    @override
    def recent(self, seconds: float) -> Recent:
        stable, canary = self._visits.recent(*self._place, seconds)
        return stable, canary

    @override
    def subject(self) -> Subject:
        return self._releases.subject(self.arms().canary.digest)

    @override
    def bend(self, levers: Mapping[str, float]) -> None:
        self._releases.bend(self.arms().canary.digest, levers)

    @override
    def crowd(self, factor: float) -> None:
        self._visits.set(*self._place, self.per_second * factor)

    @override
    def suffering(self) -> bool:
        return self._visits.suffering(*self._place)

    @override
    def suffer(self, errors: float, latency: float) -> None:
        self._visits.incident(*self._place, errors, latency)

    @override
    def calm(self) -> None:
        self._visits.calm(*self._place)

    @override
    def shift(self, stable: int, canary: int) -> None:
        if not self._visits.serving(*self._place).canary:
            raise CannotDo("There is no canary: the Rollout has nothing to promote or to abort.")
        told = {"promoteFull": True} if canary else {"abort": True}
        self._kube.tell_rollout(*self._place, told)
