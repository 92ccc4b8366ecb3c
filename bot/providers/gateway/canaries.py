"""``Canaries`` by a second Deployment and the weights of a Gateway API HTTPRoute.

Both stand in git, and Argo CD brings them to the cluster: first the canary's pods, and only when
they serve its weight; on the way back first the weight, and then the pods. What counts is what the
cluster shows: pods that are available, weights that the Gateway has taken note of.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from typing_extensions import override

from bot.model.canary import Goal, Stand
from bot.model.canary_plan import Route, in_percent
from bot.model.catalog import TargetSpec
from bot.model.errors import Misconfigured
from bot.model.places import ArgoCdApplication
from bot.model.ports import Rollouts
from bot.model.rollout import End, Observation
from bot.providers.argo_rollouts.commits import Commits
from bot.providers.argo_rollouts.errands import Errand, ErrandCanaries, Move
from bot.providers.argo_rollouts.fitness import (
    IMPOSSIBLE,
    Misfit,
    Needed,
    by_cluster,
    by_rights,
    by_way_back,
)
from bot.providers.argocd.desired import Change, DesiredParts, DesiredState
from bot.providers.argocd.views import ApplicationView
from bot.providers.argocd.workloads import Read, find
from bot.providers.gateway.fitness import leftovers, unfit
from bot.providers.gateway.scene import Scene, Spots, spots_of, stands
from bot.providers.gateway.shifts import Shift, Shifts
from bot.providers.gateway.views import runs, split_of, weights
from bot.providers.kube.cluster import DEPLOYMENTS, HTTP_ROUTES, Clusters, Raw, Resource
from bot.providers.kube.rollout_status import standing
from bot.providers.kube.troubles import reasons
from bot.providers.kube.workload import Workload, workload_of
from bot.providers.manifests import value_for

NEEDED: Needed = (("get", HTTP_ROUTES), ("get", DEPLOYMENTS))


class RouteCanaries(ErrandCanaries):
    """Safe to share between threads. ``rollouts`` follows git through Argo CD, and rolls the whole
    service in the end."""

    def __init__(
        self,
        clusters: Clusters,
        desired: DesiredState,
        parts: DesiredParts,
        rollouts: Rollouts,
        ticks: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(clusters, ticks)
        self._desired = desired
        self._parts = parts
        self._commits = Commits(desired, rollouts, ticks)
        self._shifts = Shifts(desired, parts, rollouts, ticks)
        self._toward = {
            Goal.SHARE: self._share,
            Goal.EVERYTHING: self._everything,
            Goal.NOTHING: self._nothing,
            Goal.GONE: self._gone,
        }

    # --- reading -------------------------------------------------------------------------------

    @override
    def _move(self, errand: Errand) -> Move:
        values = (errand.order.base, errand.revision)
        scene = self._scene(errand.spec, values, errand.order.image.digest)
        return self._toward[errand.aim.goal](scene, errand)

    def _scene(self, spec: TargetSpec, values: Sequence[str], digest: str) -> Scene:
        """``values`` are those that git may say for the stable version."""
        route, place = route_of(spec), spec.argocd
        cluster, view = self._clusters.at(place.cluster), self._applications.read(place)

        def read(resource: Resource, namespace: str, name: str) -> Raw | None:
            return cluster.get(resource, namespace, name)

        found = read(HTTP_ROUTES, view.namespace, route.name)
        if found is None:
            raise _missing("HTTPRoute", route.name, view)
        canary = read(DEPLOYMENTS, view.namespace, route.deployment)
        if canary is None:
            raise _missing("Deployment", route.deployment, view)
        stable = _stable(_without(view, route), place, values, read)
        return Scene(route, split_of(found, route), stable, workload_of(canary), digest)

    @override
    def _misfits(self, spec: TargetSpec) -> Iterator[Misfit]:
        plan, place = spec.canary, spec.argocd
        if plan is not None and plan.prometheus is None:
            yield (
                "CloudWatch does not know which target groups the Services are in.",
                'Give the plan a "prometheus" part, by which both versions are measured.',
            )
        yield from by_way_back(place)
        view, route = self._applications.read(place), route_of(spec)
        yield from by_cluster(view)
        yield from by_rights(self._clusters.at(place.cluster), view.namespace, NEEDED)
        spots = spots_of(place.manifests, route)
        stated = self._parts.read(place.manifests, spots.all).values
        scene = self._scene(spec, (self._desired.head(place.manifests).value,), "")
        yield from unfit(scene)
        yield from leftovers(scene, spots, stated)

    # --- toward a share --------------------------------------------------------------------------

    def _share(self, scene: Scene, errand: Errand) -> Move:
        aim, split = errand.aim, scene.split
        if not runs(scene.stable, errand.order.base):
            images = ", ".join(each.image for each in scene.stable.containers)
            said = f"Somebody deployed {images} to the stable version."
            return Move(stands(scene, end=End.SUPERSEDED, said=said, code="SUPERSEDED"))
        if split.wrong:
            said = f"Somebody changed the HTTPRoute {scene.route.name}. {split.wrong}"
            return Move(stands(scene, foreign=said))
        if not split.is_at(aim.share) and not split.is_at(aim.before):
            share = in_percent(split.share)
            said = f"Somebody else changed the weights: {share} goes to the canary."
            return Move(stands(scene, foreign=said))
        if aim.before > 0 and not scene.ours:
            said = f"Somebody rolls another image in the Deployment {scene.canary.name}."
            return Move(stands(scene, foreign=said))
        if not scene.ours or scene.canary.desired < scene.tasks(aim):
            return self._bring(scene, errand, self._pods(scene, errand))
        return self._weigh(scene, errand)

    def _weigh(self, scene: Scene, errand: Errand) -> Move:
        if not scene.ready:
            told = self._troubles(scene, errand)
            stand = standing(scene.canary)
            if stand.failed:
                said = "; ".join((stand.text, *told))
                return Move(stands(scene, end=End.FAILED, said=said, code="DEGRADED", events=told))
            pods = scene.canary
            doing = f"{min(pods.updated, pods.available)} of {pods.desired} pods are available"
            return Move(stands(scene, doing=doing, said="; ".join(told), events=told))
        if not scene.split.is_at(errand.aim.share):
            return self._bring(scene, errand, self._weights(scene, errand, errand.aim.share))
        if not scene.split.accepted:
            return Move(stands(scene, doing=scene.split.waits))
        return Move(stands(scene, reached=True))

    # --- toward everything, and nothing ----------------------------------------------------------

    def _everything(self, scene: Scene, errand: Errand) -> Move:
        """The stable Deployment is rolled as any other; then the canary has nothing to do."""
        if self._commits.brought(errand) is None:
            doing = "the whole service is told to roll"
            return Move(stands(scene, doing=doing), lambda: self._commits.bring(errand))
        seen = self._commits.follow(errand)
        if seen is None or seen.end is None:
            said = seen.explanation if seen is not None else ""
            return Move(stands(scene, doing="the whole service rolls", said=said))
        if seen.end is not End.SUCCEEDED:
            return Move(_as_argo_cd_says(scene, seen))
        return self._off(scene, errand)

    def _nothing(self, scene: Scene, errand: Errand) -> Move:
        """Neither by weights, nor because the whole service has begun to roll."""
        began = self._commits.brought(errand) is not None
        if began and self._commits.in_git(errand):
            doing = "git goes back to the earlier version"
            return Move(stands(scene, doing=doing), lambda: self._commits.take_back(errand))
        off = self._off(scene, errand)
        if not (off.stand.reached and began and scene.rolls):
            return off
        return Move(stands(scene, doing="the earlier version takes over again"))

    def _off(self, scene: Scene, errand: Errand) -> Move:
        """Toward no weight, in the cluster and in git."""
        if scene.split.wrong:
            said = f"{scene.split.wrong} Its weights are left alone."
            return Move(stands(scene, blocked=said))
        if not scene.split.is_at(0.0) and not scene.sound:
            pods = f"{scene.stable.available} of {scene.stable.desired}"
            said = (
                f"Of the stable version's pods, {pods} are available, so the traffic stays where "
                "it is."
            )
            return Move(stands(scene, blocked=said))
        off = self._weights(scene, errand, 0.0)
        if not scene.split.is_at(0.0):
            return self._bring(scene, errand, off)
        if not scene.split.accepted:
            return Move(stands(scene, doing=scene.split.waits))
        return self._settled(scene, errand, off)

    def _settled(self, scene: Scene, errand: Errand, off: Shift) -> Move:
        """It has no weight. Nothing may bring one back either."""
        (written,) = self._shifts.read(errand, _spots(errand).canary)
        if written != "0":
            return self._bring(scene, errand, off)
        if self._applies(errand) not in {None, self._shifts.commit(errand, off)}:
            # Of an earlier commit, maybe: one that gives it traffic.
            return Move(stands(scene, doing="Argo CD applies another commit first"))
        return Move(stands(scene, reached=True))

    def _gone(self, scene: Scene, errand: Errand) -> Move:
        image, replicas = self._shifts.read(errand, _spots(errand).image, _spots(errand).replicas)
        wanted = scene.digest in image
        if not wanted and not scene.ours:
            return Move(stands(scene, reached=True))
        if not scene.split.is_at(0.0):
            said = "The HTTPRoute sends it traffic again, so that its pods stay."
            return Move(stands(scene, blocked=said))
        if wanted and (replicas != "0" or scene.canary.desired > 0):
            first = f"End the canary of {errand.spec.key}"
            shift = Shift(first, {_spots(errand).replicas: Change("0")})
            return self._bring(scene, errand, shift)
        if scene.ours and scene.canary.replicas > 0:
            return Move(stands(scene, doing="its last requests end"))
        return Move(stands(scene, reached=True))

    # --- one commit each -------------------------------------------------------------------------

    def _bring(self, scene: Scene, errand: Errand, shift: Shift) -> Move:
        """Write it where that was not done; else see how far Argo CD is."""
        if not self._shifts.made(errand, shift):
            doing = f"git is told: {shift.first}"
            return Move(stands(scene, doing=doing), lambda: self._shifts.make(errand, shift))
        seen = self._shifts.follow(errand, shift)
        doing = "Argo CD brings it to the cluster"
        if seen is None or seen.end in {None, End.SUCCEEDED}:
            return Move(stands(scene, doing=doing, said=seen.explanation if seen else ""))
        if errand.aim.goal is Goal.SHARE:
            return Move(_as_argo_cd_says(scene, seen))
        return Move(stands(scene, blocked=f"Argo CD does not bring it: {seen.explanation}"))

    def _pods(self, scene: Scene, errand: Errand) -> Shift:
        spots, tasks = _spots(errand), scene.tasks(errand.aim)
        version = errand.order.image.name
        return Shift(
            f"Run {tasks} of {version} as a canary of {errand.spec.key}",
            {
                spots.image: Change(value_for("image", errand.order.image)),
                spots.replicas: Change(str(tasks)),
            },
        )

    def _weights(self, scene: Scene, errand: Errand, share: float) -> Shift:
        spots, wanted, before = _spots(errand), weights(share), weights(scene.split.share)
        toward = f"Give {in_percent(share)} of {errand.spec.key} to {errand.order.image.name}"
        if share == 0:
            # Whatever somebody wrote there: nothing is to reach it.
            first = f"Take the traffic of {errand.spec.key} off its canary"
            return Shift(
                first,
                {spots.stable: Change(str(wanted.stable)), spots.canary: Change("0")},
            )
        stands_there = frozenset({str(before.canary)})
        return Shift(
            toward,
            {
                spots.stable: Change(str(wanted.stable)),
                spots.canary: Change(str(wanted.canary), stands_there),
            },
        )

    def _troubles(self, scene: Scene, errand: Errand) -> tuple[str, ...]:
        cluster = self._clusters.at(errand.spec.argocd.cluster)
        return reasons(cluster, scene.canary.namespace, scene.canary, scene.digest, ())


def route_of(spec: TargetSpec) -> Route:
    """The plan's part that names the route. Raises ``Misconfigured`` where it has none."""
    plan = spec.canary
    if plan is None or plan.route is None:
        raise Misconfigured(
            f"{spec.key} has no canaries by an HTTPRoute in the catalog any more.",
            hint="Put its plan back until this one has ended.",
        )
    return plan.route


def _stable(
    view: ApplicationView, place: ArgoCdApplication, values: Sequence[str], read: Read
) -> Workload:
    """The stable version's workload: by its image, before it takes the canary's over and after."""
    *earlier, last = values
    for value in earlier:
        try:
            return find(view, place, value, read)
        except Misconfigured:
            continue
    return find(view, place, last, read)


def _spots(errand: Errand) -> Spots:
    return spots_of(errand.spec.argocd.manifests, route_of(errand.spec))


def _without(view: ApplicationView, route: Route) -> ApplicationView:
    """The Application without the canary's Deployment: of those that are left one is stable."""
    left = (
        each
        for each in view.resources
        if (each.kind, each.name) != (DEPLOYMENTS.kind, route.deployment)
    )
    return replace(view, resources=tuple(left))


def _missing(kind: str, name: str, view: ApplicationView) -> Misconfigured:
    return Misconfigured(
        f"There is no {kind} {name} in namespace {view.namespace}.",
        reason_code=IMPOSSIBLE,
        hint='Correct "route" in the catalog, or add it to the manifests.',
    )


def _as_argo_cd_says(scene: Scene, seen: Observation) -> Stand:
    return stands(
        scene, end=seen.end, said=seen.explanation, code=seen.reason_code, events=seen.events
    )
