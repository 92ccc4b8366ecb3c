"""Reading a Rollout, its ReplicaSets, and why their pods do not run."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from threading import Lock

from bot.model.canary_plan import CanaryPlan, Rollout
from bot.model.catalog import TargetSpec
from bot.model.errors import Misconfigured
from bot.providers.argo_rollouts.errands import Errand
from bot.providers.argo_rollouts.fitness import IMPOSSIBLE
from bot.providers.argo_rollouts.scene import Scene
from bot.providers.argo_rollouts.views import pods_of, rollout_of
from bot.providers.kube.cluster import REPLICA_SETS, ROLLOUTS, Clusters, Select
from bot.providers.kube.troubles import patience, reasons
from bot.providers.kube.workload import workload_of

_REMEMBERED = 1024


class Scenes:
    """Two calls for each look."""

    def __init__(self, clusters: Clusters) -> None:
        self._clusters = clusters

    def of(self, spec: TargetSpec, digest: str) -> Scene:
        """As it is now, for a canary of the image with that digest (or value).

        Raises ``Misconfigured`` where there is no such Rollout.
        """
        plan, rollout = plan_of(spec)
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


def plan_of(spec: TargetSpec) -> tuple[CanaryPlan, Rollout]:
    """The plan, and its part that names the Rollout. Raises ``Misconfigured`` where it has none."""
    plan = spec.canary
    if plan is None or plan.rollout is None:
        raise Misconfigured(
            f"{spec.key} has no canaries by a Rollout in the catalog any more.",
            hint="Put its plan back until this one has ended.",
        )
    return plan, plan.rollout
