"""Sites that are ECS services behind a load balancer whose rule has two target groups."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence

from typing_extensions import override

from bot.playground.aws.arrivals import Moment
from bot.playground.aws.errors import AwsError
from bot.playground.aws.records import Revision, Service, ServiceDeployment
from bot.playground.aws.world import World
from bot.playground.page.arms import Arm, Arms, Recent, Site, Subject
from bot.playground.page.subjects import Releases
from bot.playground.page.world import version_of
from bot.playground.tour.fleet import CONTAINER
from bot.playground.tour.visitors import Visited

#: Until somebody ends an incident: longer than any demo. Seconds.
LASTS = 1e6


class Balanced(Site, ABC):
    """One such service; what its strategy decides is which target group is whose."""

    behind = "load balancer"

    def __init__(self, world: World, visited: Visited) -> None:
        self._world = world
        self._front = visited.front
        self.service = visited.service
        self.environment = visited.environment
        self.per_second = visited.per_second
        self._releases = Releases(world, visited.service)

    @abstractmethod
    def groups(self) -> tuple[str, str]:
        """The ARNs of the target groups of the stable version and of the canary now."""

    @abstractmethod
    def revisions(self) -> tuple[Revision | None, Revision | None]:
        """What each of them runs; ``None`` for nothing."""

    @override
    def arms(self) -> Arms:
        with self._world.lock:
            self._world.advance(0.0)  # nothing moves on in the world until somebody looks
            weights = self._world.balancers.weights(self._front.rule)
            stable, canary = (
                self._arm(group, revision, weights.get(group, 0))
                for group, revision in zip(self.groups(), self.revisions(), strict=True)
            )
            return Arms(stable, canary)

    def _arm(self, group: str, revision: Revision | None, weight: int) -> Arm:
        targets = self._world.balancers.targets(group)
        healthy = sum(each.state == "healthy" and not each.dead for each in targets)
        version, digest = "", ""
        if revision is not None:
            estate = self._world.estate_of(self._front.rule)
            version, digest = version_of(revision, estate), _digest(revision)
        return Arm(weight, version, digest, healthy, len(targets))

    @override
    def recent(self, seconds: float) -> Recent:
        with self._world.lock:
            both = self._front.stable, self._front.canary
            first, second = (self._world.traffic.recent(each, seconds) for each in both)
            return self.told_apart(first, second)

    @abstractmethod
    def told_apart(self, first: Sequence[Moment], second: Sequence[Moment]) -> Recent:
        """The moments of the rule's two target groups, as the stable version's and the canary's."""

    @override
    def subject(self) -> Subject:
        return self._releases.subject(self.arms().canary.digest)

    @override
    def bend(self, levers: Mapping[str, float]) -> None:
        self._releases.bend(self.arms().canary.digest, levers)

    @override
    def crowd(self, factor: float) -> None:
        wobble = self._world.traffic.flow.stream(self._front.rule).wobble
        self._world.traffic.set(self._front.rule, self.per_second * factor, wobble)

    @override
    def suffering(self) -> bool:
        with self._world.lock:
            found = self._world.traffic.flow.incidents
            return any(each.balancer in {None, self._front.load_balancer} for each in found)

    @override
    def suffer(self, errors: float, latency: float) -> None:
        balancer = self._front.load_balancer
        self._world.traffic.incident(balancer, errors=errors, latency=latency, seconds=LASTS)

    @override
    def calm(self) -> None:
        self._world.traffic.calm(self._front.load_balancer)

    @override
    def shift(self, stable: int, canary: int) -> None:
        weights = dict(zip(self.groups(), (stable, canary), strict=True))
        self._world.balancers.set_weights(self._front.rule, weights)

    def running(self, name: str) -> Service | None:
        """The ECS service of that name, while it is there."""
        try:
            found = self._world.service(self.environment, name)
        except AwsError:
            return None
        return found if found.status == "ACTIVE" else None


class Weighted(Balanced):
    """The canary is a service of its own, in a target group of its own."""

    @override
    def groups(self) -> tuple[str, str]:
        return self._front.stable, self._front.canary

    @override
    def told_apart(self, first: Sequence[Moment], second: Sequence[Moment]) -> Recent:
        return first, second

    @override
    def revisions(self) -> tuple[Revision | None, Revision | None]:
        return self._revision(self.service), self._revision(f"{self.service}-canary")

    def _revision(self, name: str) -> Revision | None:
        service = self.running(name)
        return service.primary.revision if service is not None else None


class Native(Balanced):
    """ECS shifts the traffic: both versions are of one service, and its groups take turns."""

    behind = "shifted by ECS"

    @override
    def groups(self) -> tuple[str, str]:
        return self._groups_at(math.inf)

    @override
    def told_apart(self, first: Sequence[Moment], second: Sequence[Moment]) -> Recent:
        sides: tuple[list[Moment], list[Moment]] = ([], [])
        named = ((self._front.stable, first), (self._front.canary, second))
        found = [(group, each) for group, moments in named for each in moments]
        for group, each in sorted(found, key=lambda pair: pair[1].at):
            middle = each.at - each.seconds / 2
            canary = self._groups_at(middle).index(group)
            if not canary or each.share or each.requests or self._left_at(middle):
                sides[canary].append(each)
        return sides

    def _left_at(self, moment: float) -> bool:
        """Whether the other group was that of a canary, then or until it was taken back: after one
        that was given everything it is that of nobody."""
        service = self.running(self.service)
        tried = [
            each
            for each in (service.history if service is not None else ())
            if each.passage is not None and each.created_at <= moment
        ]
        return bool(tried) and not _given_all(tried[-1], moment)

    @override
    def revisions(self) -> tuple[Revision | None, Revision | None]:
        service = self.running(self.service)
        if service is None:
            return None, None
        newest = service.history[-1]
        # What was stopped and not taken back still has its part of the traffic.
        tried = newest.passage is not None and (newest.open or newest.status == "STOPPED")
        if not tried or service.completed is None:
            return service.primary.revision, None
        return service.completed.revision, newest.target

    def _groups_at(self, moment: float) -> tuple[str, str]:
        """Whose was whose then: a version that has been given everything stays in its group."""
        stable = self._front.stable
        service = self.running(self.service)
        for each in service.history if service is not None else ():
            if _given_all(each, moment):
                stable = each.target.target_groups[0]
        other = self._front.canary if stable == self._front.stable else self._front.stable
        return stable, other


def _given_all(record: ServiceDeployment, moment: float) -> bool:
    return record.status == "SUCCESSFUL" and (record.finished_at or 0.0) <= moment


def _digest(revision: Revision) -> str:
    ours = next(each for each in revision.images if each["containerName"] == CONTAINER)
    return str(ours.get("imageDigest") or str(ours["image"]).partition("@")[2])
