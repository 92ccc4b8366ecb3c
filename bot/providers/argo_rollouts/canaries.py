"""``Canaries`` by an Argo Rollouts Rollout that Argo CD brings to the cluster.

What runs is decided in git, how much of the traffic it gets by the Rollout's own steps: each
setWeight is followed by a pause without an end, and Quarterdeck ends the pauses. Each look reads
the Rollout and its ReplicaSets; what is changed follows from what was read, so that any call may be
repeated after a crash.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence

from typing_extensions import override

from bot.model.canary import Goal
from bot.model.catalog import TargetSpec
from bot.model.ports import Rollouts
from bot.model.rollout import End
from bot.providers.argo_rollouts import fitness
from bot.providers.argo_rollouts.commits import Commits
from bot.providers.argo_rollouts.controls import Controls
from bot.providers.argo_rollouts.errands import Errand, ErrandCanaries, Move
from bot.providers.argo_rollouts.fitness import Misfit
from bot.providers.argo_rollouts.retreat import Retreat
from bot.providers.argo_rollouts.scene import stands
from bot.providers.argo_rollouts.scenes import Scenes, Troubles, plan_of
from bot.providers.argo_rollouts.trial import Trial
from bot.providers.argocd.desired import DesiredState
from bot.providers.kube.cluster import Clusters


class RolloutCanaries(ErrandCanaries):
    """Safe to share between threads. ``rollouts`` follows what git says through Argo CD, ``ticks``
    counts seconds."""

    def __init__(
        self,
        clusters: Clusters,
        desired: DesiredState,
        rollouts: Rollouts,
        ticks: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(clusters, ticks)
        self._scenes = Scenes(clusters)
        controls, commits = Controls(clusters), Commits(desired, rollouts, ticks)
        trial = Trial(controls, commits, Troubles(clusters, ticks).of)
        retreat = Retreat(controls, commits, self._applies, ticks)
        self._toward = {
            Goal.SHARE: trial.share,
            Goal.EVERYTHING: trial.everything,
            Goal.NOTHING: retreat.nothing,
            Goal.GONE: retreat.gone,
        }

    @override
    def _warnings(self, spec: TargetSpec) -> Sequence[str]:
        return fitness.warnings(self._scenes.of(spec, ""))

    @override
    def _move(self, errand: Errand) -> Move:
        scene = self._scenes.of(errand.spec, errand.order.image.digest)
        if scene.view.deleting and errand.aim.goal in {Goal.SHARE, Goal.EVERYTHING}:
            said = f"The Rollout {scene.name} is being deleted."
            return Move(stands(scene, end=End.FAILED, said=said, code="MISSING"))
        return self._toward[errand.aim.goal](scene, errand)

    @override
    def _misfits(self, spec: TargetSpec) -> Iterator[Misfit]:
        plan, rollout = plan_of(spec)
        yield from fitness.by_catalog(spec, plan)
        place = spec.argocd
        yield from fitness.by_application(self._applications.read(place), plan)
        yield from fitness.by_rights(self._clusters.at(place.cluster), rollout.namespace)
        yield from fitness.by_rollout(self._scenes.of(spec, ""))
