"""Whether an HTTPRoute and a canary's Deployment can be shifted: what keeps them from that."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from bot.model.canary_plan import in_percent
from bot.providers.argo_rollouts.fitness import Misfit
from bot.providers.gateway.scene import Scene, Spots
from bot.providers.manifests import Spot


def unfit(scene: Scene) -> Iterator[Misfit]:
    """Why the HTTPRoute cannot be shifted."""
    split, route = scene.split, scene.route
    if split.wrong:
        yield (
            f"The HTTPRoute {route.name} cannot be shifted. {split.wrong}",
            f"Let each of its rules refer to {route.stable} and {route.canary}, with weights.",
        )
    if not split.accepted:
        yield (
            f"The HTTPRoute {route.name} is not in force: {split.waits}.",
            "Look at its status, and at the Gateway's.",
        )


def leftovers(scene: Scene, spots: Spots, stated: Mapping[Spot, str]) -> Iterator[Misfit]:
    """What is left of another canary, or was begun by hand."""
    split, route, canary = scene.split, scene.route, scene.canary
    if not split.is_at(0.0) or stated[spots.canary] != "0":
        share = in_percent(split.share)
        said = f"{share} goes to the Service {route.canary}"
        yield (
            f"The weights are shifted already: {said}, and git says {stated[spots.canary]}.",
            f"Write weight 0 for it in {spots.canary.file}.",
        )
    if canary.desired or stated[spots.replicas] != "0":
        said = f"The Deployment {route.deployment} is to run {canary.desired} pods already"
        yield (
            f"{said}, and git says replicas {stated[spots.replicas]}.",
            f"Write replicas 0 in {spots.replicas.file}.",
        )
