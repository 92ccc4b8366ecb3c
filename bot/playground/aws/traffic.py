"""The levers of the traffic: how much arrives where, and how each version answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bot.playground.aws.arrivals import Flow, Incident, Moment, Surroundings
from bot.playground.aws.records import Behaviour
from bot.playground.aws.versions import Version, version_of

if TYPE_CHECKING:
    from bot.playground.aws.world import World


class Traffic:
    """What visitors of the world's load balancers do, and what they get.

    ``where`` is the ARN of a rule, or of a load balancer that has one rule besides the default
    one, or none. Every lever holds from now on. All times are the visitors' seconds.
    """

    def __init__(self, world: World, around: Surroundings, seed: int) -> None:
        self._world = world
        self._around = around
        self._versions: dict[str, Version] = {}
        self.flow = Flow(around, seed, self._version)

    def set(self, where: str, per_second: float, wobble: float = 0.0) -> None:
        """Let ``per_second`` requests arrive, Poisson; ``wobble`` (.1: by a tenth) on top of it."""
        with self._world.lock:
            stream = self.flow.stream(self._rule(where))
            self._now()
            stream.per_second, stream.wobble = per_second, wobble

    def burst(self, where: str, factor: float, seconds: float) -> None:
        """Let ``factor`` times as much arrive for ``seconds``."""
        with self._world.lock:
            stream = self.flow.stream(self._rule(where))
            stream.bursts.append((factor, self._now() + seconds))

    def incident(
        self,
        load_balancer: str | None = None,
        *,
        errors: float = 0.0,
        latency: float = 1.0,
        seconds: float = 300.0,
    ) -> None:
        """Harm every version alike: a share of ``errors`` more, ``latency`` times as slow.

        Behind one load balancer, or behind all.
        """
        with self._world.lock:
            until = self._now() + seconds
            self.flow.incidents.append(Incident(load_balancer, errors, latency, until))

    def calm(self, load_balancer: str | None = None) -> None:
        """End every incident, or those that one load balancer alone has."""
        with self._world.lock:
            self._now()
            going = self.flow.incidents if load_balancer else []
            self.flow.incidents = [each for each in going if each.balancer != load_balancer]

    def version(self, image: str) -> Version:
        """The levers of an image, by its digest (or its whole reference, outside of ECR)."""
        with self._world.lock:
            self._now()
            return self._version(image)

    def backfill(self, where: str, minutes: int = 60) -> None:
        """Let the past have been as the present is: history at once, for a world that is new."""
        with self._world.lock:
            self._now()
            self.flow.backfill(self._rule(where), minutes)

    def recent(self, group: str, seconds: float = 600.0) -> list[Moment]:
        """The newest slices of a target group (ARN), oldest first, as they are: for charts."""
        with self._world.lock:
            self._now()
            oldest = self._around.moment() - seconds
            return [each for each in self.flow.moments.get(group, ()) if each.at > oldest]

    def _version(self, image: str) -> Version:
        if image not in self._versions:
            behaviour = self._behaviour(image)
            self._versions[image] = version_of(behaviour, lambda: self._around.visits.now)
        return self._versions[image]

    def _behaviour(self, image: str) -> Behaviour:
        for estate in self._around.estates():
            for repository in estate.repositories.values():
                found = repository.find(image)
                if found is not None:
                    return found.behaviour
        return Behaviour.GOOD

    def _now(self) -> float:
        self._world.advance(0.0)
        self.flow.catch_up()
        return self._around.visits.now

    def _rule(self, where: str) -> str:
        if ":listener-rule/" in where:
            return where
        balancer = self._around.estate_of(where).balancing.balancers[where]
        rules = list(balancer.rules())
        chosen = [each for each in rules if not each.is_default] or rules
        if len(chosen) > 1:
            raise ValueError(f"{where} has {len(chosen)} rules: name one")
        return chosen[0].arn


def set_levers(version: Version, levers: dict[str, Any]) -> None:
    """Set several levers by name; ``errors_per_minute`` and ``latency_per_minute`` leak.

    Raises ``ValueError`` for a lever that there is not.
    """
    leaks = {"errors_per_minute", "latency_per_minute"} & set(levers)
    known = set(Version.__dataclass_fields__) - {"now", "leaks_from", "leak_errors", "leak_latency"}
    unknown = set(levers) - known - leaks
    if unknown:
        raise ValueError(
            f"no lever {', '.join(sorted(unknown))}; there are {', '.join(sorted(known))}"
        )
    for name in set(levers) - leaks:
        setattr(version, name, float(levers[name]))
    if leaks:
        version.leak(**{name: float(levers[name]) for name in leaks})
