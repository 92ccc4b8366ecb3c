"""The control interface's verbs for load balancers, traffic and metrics.

Units are those of ``Traffic``, ``Version`` and ``Publication``; load balancers, rules and target
groups are named by ARN, versions by their image's digest.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from bot.playground.aws.metrics import Publication
from bot.playground.aws.records import Json
from bot.playground.aws.traffic import set_levers

if TYPE_CHECKING:
    from bot.playground.aws.world import World


def _create(world: World, cluster: str, service: str, **options: Any) -> Json:
    return dataclasses.asdict(world.balancers.create_service(cluster, service, **options))


def _version(world: World, digest: str, **levers: Any) -> Json:
    with world.lock:
        version = world.traffic.version(digest)
        set_levers(version, levers)
        return {name: each for name, each in vars(version).items() if isinstance(each, float)}


def _publication(world: World, **given: float) -> Json:
    now = dataclasses.asdict(world.metrics.publication)
    world.metrics.publication = Publication(**{**now, **given})
    return dataclasses.asdict(world.metrics.publication)


def _recent(world: World, group: str, seconds: str = "600") -> Json:
    moments = world.traffic.recent(group, float(seconds))
    return {"moments": [dataclasses.asdict(each) for each in moments]}


READS: dict[str, Callable[..., Any]] = {
    "moment": lambda world: {"moment": world.moment(), "speed": world.clock.speed},
    "recent": _recent,
    "weights": lambda world, rule: world.balancers.weights(rule),
}
WRITES: dict[str, Callable[..., Any]] = {
    "create-balanced-service": _create,
    "weights": lambda world, rule, weights: world.balancers.set_weights(rule, weights),
    "traffic": lambda world, **given: world.traffic.set(**given),
    "burst": lambda world, **given: world.traffic.burst(**given),
    "incident": lambda world, **given: world.traffic.incident(**given),
    "backfill": lambda world, **given: world.traffic.backfill(**given),
    "version": _version,
    "publication": _publication,
    "alarm": lambda world, name, state: world.metrics.set_alarm(name, state),
}
