"""What the demo's company runs: four services in two environments, their images, their catalog.

Two of them run on ECS, the others in a cluster (``bot.playground.tour.cluster``). Which of them
have visitors and canaries is told in ``bot.playground.tour.visitors`` and ``pod_visitors``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from bot.playground.aws.blueprints import ACCOUNT, REGION, ServiceOptions
from bot.playground.aws.records import Behaviour, Image
from bot.playground.aws.world import World
from bot.playground.slack.crew import DEPLOYMENTS, IRIS, RELEASE_CAPTAINS
from bot.playground.tour import visitors
from bot.playground.tour.cluster import DEPLOYED, Cluster
from bot.playground.tour.visitors import Visited

SERVICES = ("backend", "analytics", "frontend", "search")
ON_ECS = ("backend", "frontend")
ENVIRONMENTS = ("staging", "production")
CONTAINER = "app"
#: The tag that runs everywhere at first, the good one after it, and the one that crashes.
OLD, NEW, BROKEN = "v1.4.0", "v1.5.0", "v1.6.0"
TASKS = {"staging": 2, "production": 4}

_HEAD = """\
# The demo's catalog: backend and frontend on a local ECS, the others under a local Argo CD.
version: 1
announce_in: {channel}
environments:
  staging: {{policy: relaxed, aliases: [stage]}}
  production: {{policy: guarded, aliases: [prod]}}
policies:
  relaxed:
    deployers: {{everyone: true}}
  guarded:
    deployers: {{everyone: true}}
    approvers: {{groups: [{captains}]}}
    approvals: 2
    incident_responders: {{users: [{responder}]}}
    hold_after_rollback: 24h
services:
"""
_SERVICE = """\
  {name}:
    repository: acme/{name}
    ecr: {{registry: "{account}", region: {region}, repository: {name}}}
"""
_TARGET = """\
  - service: {name}
    environment: {environment}
    {place}
"""
_ECS = "ecs: {{region: {region}, cluster: {environment}, service: {name}, container: {container}}}"


#: What the catalog says of canaries, by service and environment.
Plans = Mapping[tuple[str, str], str]


def environments_of(name: str) -> Sequence[str]:
    """Where a service runs, production last."""
    return ENVIRONMENTS if name in ON_ECS else tuple(DEPLOYED[name])


def catalog(cluster: Cluster, plans: Plans) -> str:
    """The catalog as YAML."""
    parts = [_HEAD.format(channel=DEPLOYMENTS, captains=RELEASE_CAPTAINS, responder=IRIS)]
    parts += [_SERVICE.format(name=name, account=ACCOUNT, region=REGION) for name in SERVICES]
    parts.append("targets:\n")
    for name in SERVICES:
        for environment in environments_of(name):
            words = {"name": name, "environment": environment}
            on_ecs = _ECS.format(region=REGION, container=CONTAINER, **words)
            place = on_ecs if name in ON_ECS else cluster.place(name, environment)
            parts.append(_TARGET.format(place=place, **words))
            parts.append(plans.get((name, environment), ""))
    return "".join(parts)


def write_catalog(folder: Path, cluster: Cluster, plans: Plans) -> Path:
    """Put the catalog into a folder; returns its path."""
    path = folder / "quarterdeck.yaml"
    path.write_text(catalog(cluster, plans), encoding="utf-8")
    return path


def furnish(world: World) -> Sequence[Visited]:
    """Push all images, and start the services on ECS on the old one.

    Returns those that have visitors.
    """
    visited: list[Visited] = []
    for name in SERVICES:
        for tag, behaviour in (
            (OLD, Behaviour.GOOD),
            (BROKEN, Behaviour.CRASHING),
            (NEW, Behaviour.GOOD),
        ):
            digest = world.push(name, tag, behaviour)
        world.tag(name, digest, "latest")
        for environment in ENVIRONMENTS if name in ON_ECS else ():
            options: ServiceOptions = {
                "family": f"{name}-{environment}",
                "container": CONTAINER,
                "image": OLD,
                "repository": name,
                "desired": TASKS[environment],
            }
            if (name, environment) in visitors.CROWDS:
                visited.append(visitors.receive(world, name, environment, **options))
            else:
                world.create_service(environment, name, **options)
    return visited


def furnish_cluster(world: World, cluster: Cluster) -> None:
    """Start the services in the cluster on the old image."""
    homes = world.estate().repositories
    cluster.furnish(
        {each: (homes[each].uri, OLD, image_of(world, each, OLD).digest) for each in DEPLOYED}
    )


def image_of(world: World, name: str, tag: str) -> Image:
    """The image that a tag names now; ``KeyError`` for none."""
    with world.lock:
        found = world.estate().repositories[name].find(tag)
    if found is None:
        raise KeyError(tag)
    return found


def running(world: World, name: str, environment: str) -> set[str]:
    """The digests that the service's live tasks run: one, when no rollout is under way."""
    service = world.service(environment, name)
    with world.lock:
        tasks = [each for each in service.tasks.values() if each.live and each.running]
        return {each.digests[CONTAINER] for each in tasks}


def told(world: World, name: str, environment: str) -> int:
    """How often ECS was told to change that service."""
    return sum(
        call.took_effect
        and (call.parameters.get("service"), call.parameters.get("cluster")) == (name, environment)
        for call in world.calls("UpdateService")
    )
