"""``Canaries`` by an Argo Rollouts Rollout that Argo CD brings to the cluster.

What runs is decided in git, how much of the traffic it gets by the Rollout's own steps: each
setWeight is followed by a pause without an end, and Quarterdeck ends the pauses. Each look reads
the Rollout and its ReplicaSets; what is changed follows from what was read, so that any call may be
repeated after a crash.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from threading import Lock

from typing_extensions import override

from bot.model.canary import Aim, Goal, Stand
from bot.model.canary_plan import CanaryPlan, Rollout
from bot.model.canary_ports import Canaries
from bot.model.catalog import TargetSpec
from bot.model.errors import Misconfigured
from bot.model.ports import Rollouts
from bot.model.rollout import End, Order
from bot.providers.argo_rollouts import fitness
from bot.providers.argo_rollouts.commits import Commits
from bot.providers.argo_rollouts.controls import Controls
from bot.providers.argo_rollouts.fitness import IMPOSSIBLE, Misfit
from bot.providers.argo_rollouts.retreat import Retreat
from bot.providers.argo_rollouts.scene import Errand, Scene, stands
from bot.providers.argo_rollouts.trial import Move, Trial
from bot.providers.argo_rollouts.views import pods_of, rollout_of
from bot.providers.argocd.applications import Applications, source_of
from bot.providers.argocd.desired import DesiredState
from bot.providers.argocd.sources import revision_of
from bot.providers.kube.cluster import REPLICA_SETS, ROLLOUTS, Clusters, Select
from bot.providers.kube.troubles import patience, reasons
from bot.providers.kube.workload import workload_of

_REMEMBERED = 1024


class RolloutCanaries(Canaries):
    """Safe to share between threads. ``rollouts`` follows what git says through Argo CD, ``ticks``
    counts seconds."""

    def __init__(
        self,
        clusters: Clusters,
        desired: DesiredState,
        rollouts: Rollouts,
        ticks: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clusters = clusters
        self._applications = Applications(clusters, ticks)
        self._troubles = Troubles(clusters, ticks)
        controls, commits = Controls(clusters), Commits(desired, rollouts)
        trial = Trial(controls, commits, self._troubles.of)
        retreat = Retreat(controls, commits, self._applying, ticks)
        self._toward = {
            Goal.SHARE: trial.share,
            Goal.EVERYTHING: trial.everything,
            Goal.NOTHING: retreat.nothing,
            Goal.GONE: retreat.gone,
        }

    @override
    def check(self, spec: TargetSpec) -> Sequence[str]:
        for wrong, advice in self._misfits(spec):
            raise Misconfigured(wrong, reason_code=IMPOSSIBLE, hint=advice)
        return fitness.warnings(self._scene(spec, ""))

    @override
    def look(self, spec: TargetSpec, order: Order, revision: str, aim: Aim) -> Stand:
        return self._move(Errand(spec, order, revision, aim)).stand

    @override
    def toward(self, spec: TargetSpec, order: Order, revision: str, aim: Aim) -> Stand:
        stand, deed = self._move(Errand(spec, order, revision, aim))
        if deed is not None:
            deed()
        return stand

    def _move(self, errand: Errand) -> Move:
        scene = self._scene(errand.spec, errand.order.image.digest)
        if scene.view.deleting and errand.aim.goal in {Goal.SHARE, Goal.EVERYTHING}:
            said = f"The Rollout {scene.name} is being deleted."
            return Move(stands(scene, end=End.FAILED, said=said, code="MISSING"))
        return self._toward[errand.aim.goal](scene, errand)

    def _misfits(self, spec: TargetSpec) -> Iterator[Misfit]:
        """Lazily: what is asked later may need what was found in order before."""
        plan, rollout = _plan(spec)
        yield from fitness.by_catalog(spec, plan)
        place = spec.argocd
        yield from fitness.by_application(self._applications.read(place), plan)
        yield from fitness.by_rights(self._clusters.at(place.cluster), rollout.namespace)
        yield from fitness.by_rollout(self._scene(spec, ""))

    def _scene(self, spec: TargetSpec, digest: str) -> Scene:
        plan, rollout = _plan(spec)
        cluster = self._clusters.at(spec.argocd.cluster)
        raw = cluster.get(ROLLOUTS, rollout.namespace, rollout.name)
        if raw is None:
            raise Misconfigured(
                f"There is no Rollout {rollout.name} in namespace {rollout.namespace}.",
                reason_code=IMPOSSIBLE,
                hint='Correct "rollout" in the catalog.',
            )
        view = rollout_of(raw)
        labels = ",".join(f"{key}={value}" for key, value in sorted(view.selector.items()))
        sets = cluster.list(REPLICA_SETS, rollout.namespace, Select(labels)).items
        pods = (pods_of(each, view.uid) for each in sets)
        found = tuple(each for each in pods if each is not None)
        return Scene(plan, rollout, view, found, digest)

    def _applying(self, errand: Errand, commit: str) -> bool:
        place = errand.spec.argocd
        view = self._applications.find(place)
        running = view.under_way if view is not None else None
        if view is None or running is None:
            return False
        return revision_of(running.revisions, source_of(place, view)) == commit


class Troubles:
    """Why a canary's pods do not run; asked seldom, as what hinders them shows early."""

    def __init__(self, clusters: Clusters, ticks: Callable[[], float]) -> None:
        self._clusters = clusters
        self._ticks = ticks
        self._lock = Lock()
        self._known: OrderedDict[str, tuple[float, int, tuple[str, ...]]] = OrderedDict()

    def of(self, errand: Errand, scene: Scene) -> tuple[str, ...]:
        """One line each; nothing where all of them are available."""
        if all(each.available >= each.desired for each in scene.ours):
            return ()
        name, now = errand.order.deployment_id, self._ticks()
        with self._lock:
            at, looks, known = self._known.get(name, (float("-inf"), 0, ()))
        if now - at < patience(looks):
            return known
        rollout, cluster = scene.rollout, self._clusters.at(errand.spec.argocd.cluster)
        raw = cluster.get(ROLLOUTS, rollout.namespace, rollout.name)
        if raw is not None:
            known = reasons(cluster, rollout.namespace, workload_of(raw), scene.digest, known)
        with self._lock:
            self._known[name] = (now, looks + 1, known)
            while len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)
        return known


def _plan(spec: TargetSpec) -> tuple[CanaryPlan, Rollout]:
    plan = spec.canary
    if plan is None or plan.rollout is None:
        raise Misconfigured(
            f"{spec.key} has no canaries by a Rollout in the catalog any more.",
            hint="Put its plan back until this one has ended.",
        )
    return plan, plan.rollout
