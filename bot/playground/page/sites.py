"""Which services of the demo have visitors and canaries: each kind of site is made here."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from bot.model.canary_plan import Strategy
from bot.playground.aws.world import World
from bot.playground.page.arms import Site
from bot.playground.page.balanced import Balanced, Native, Weighted
from bot.playground.page.pods import Pods
from bot.playground.tour.cluster import SEARCH
from bot.playground.tour.pod_visitors import ENVIRONMENT
from bot.playground.tour.stage import Stage
from bot.playground.tour.visitors import Visited

#: What stands behind load balancers, by how its canaries go.
BALANCED: Final[Mapping[Strategy, Callable[[World, Visited], Balanced]]] = {
    "weighted": Weighted,
    "native": Native,
}


def sites_of(stage: Stage) -> Sequence[Site]:
    """All of a stage, in the order of the catalog."""
    pods = Pods(stage.aws, stage.cluster.kube, stage.pods.visits, (ENVIRONMENT, SEARCH))
    return [*behind_balancers(stage.aws, stage.visited), pods]


def behind_balancers(world: World, visited: Sequence[Visited]) -> Iterator[Site]:
    """Those on ECS."""
    return (BALANCED[each.strategy](world, each) for each in visited)
