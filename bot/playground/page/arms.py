"""The two versions that a rule may send visitors to, as they are at one moment."""

from __future__ import annotations

from dataclasses import dataclass

from bot.playground.aws.balancers import Front
from bot.playground.aws.errors import AwsError
from bot.playground.aws.records import Revision, Service
from bot.playground.aws.world import World
from bot.playground.page.world import version_of
from bot.playground.tour.fleet import CONTAINER
from bot.playground.tour.visitors import SERVICE, Fronts

CANARY = f"{SERVICE}-canary"


@dataclass(frozen=True, slots=True)
class Arm:
    """One version: ``group`` is its target group's ARN, ``weight`` its part of the rule's.

    ``version`` and ``digest`` are empty where nothing runs. ``healthy`` of its ``targets`` get
    requests.
    """

    group: str
    weight: int
    version: str
    digest: str
    healthy: int
    targets: int

    @property
    def there(self) -> bool:
        """Whether something runs for it."""
        return bool(self.version)


@dataclass(frozen=True, slots=True)
class Arms:
    """Both in one environment."""

    environment: str
    front: Front
    stable: Arm
    canary: Arm

    @property
    def share(self) -> float:
        """The canary's share of the traffic, from 0 to 1."""
        return self.canary.weight / max(self.stable.weight + self.canary.weight, 1)


def arms_of(world: World, fronts: Fronts) -> list[Arms]:
    """Production first, and before it whatever has a canary."""
    with world.lock:
        world.advance(0.0)  # nothing moves on in the world until somebody looks
        found = [_arms(world, environment, front) for environment, front in fronts.items()]
    found.reverse()  # production comes last in the catalog, and first here
    return sorted(found, key=lambda each: not each.canary.there)


def _arms(world: World, environment: str, front: Front) -> Arms:
    weights = world.balancers.weights(front.rule)
    return Arms(
        environment,
        front,
        _arm(world, (environment, SERVICE), front.stable, weights.get(front.stable, 0)),
        _arm(world, (environment, CANARY), front.canary, weights.get(front.canary, 0)),
    )


def _arm(world: World, names: tuple[str, str], group: str, weight: int) -> Arm:
    targets = world.balancers.targets(group)
    version, digest = "", ""
    service = _service(world, *names)
    if service is not None:
        revision = service.primary.revision
        _, _, _, region, account, _ = service.arn.split(":", 5)
        version, digest = version_of(revision, world.estate(account, region)), _digest(revision)
    healthy = sum(each.state == "healthy" and not each.dead for each in targets)
    return Arm(group, weight, version, digest, healthy, len(targets))


def _service(world: World, environment: str, name: str) -> Service | None:
    try:
        found = world.service(environment, name)
    except AwsError:
        return None
    return found if found.status == "ACTIVE" else None


def _digest(revision: Revision) -> str:
    ours = next(each for each in revision.images if each["containerName"] == CONTAINER)
    return str(ours.get("imageDigest") or str(ours["image"]).partition("@")[2])
