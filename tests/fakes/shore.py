"""What a scenario asks of the place where services run, whichever provider rolls them there."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from math import inf
from pathlib import Path
from typing import Protocol

from typing_extensions import override

from bot.model.deployment import Status
from bot.playground.aws import World
from bot.playground.aws.lookup import find_definition

CLUSTER = "main"
#: Where a catalog's text leaves room for the place of a service in an environment.
PLACE = re.compile(r"PLACE\(([a-z0-9-]+)/([a-z]+)\)")


class Shore(Protocol):
    """One provider's world. Time stands still in it until ``advance``.

    A *name* is ``svc3-staging``: a service in an environment. ``reading`` and ``telling`` are words
    by which a card shows that what runs cannot be read, or that the provider cannot be told;
    ``taken_back`` is how the rollout of an image that cannot run ends.
    """

    reading: str
    telling: str
    taken_back: Status

    @property
    def environment(self) -> Mapping[str, str]:
        """What points the bot at it."""
        ...

    def place(self, service: str, environment: str) -> str:
        """The catalog's words for where it runs: ``ecs: {...}``."""
        ...

    def furnish(self, service: str, environments: Iterable[str], digest: str) -> None:
        """Let a service run that image, with two tasks in each environment."""
        ...

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        ...

    def settle(self, name: str) -> bool:
        """Let time pass until no rollout is under way; False where that takes too long."""
        ...

    def deploy_aside(self, name: str, image: str) -> None:
        """Let somebody else deploy a tag or digest, past the bot."""
        ...

    def told(self, name: str) -> list[str]:
        """The digests that the provider was told to roll it to, by the bot, in order."""
        ...

    def writes(self) -> int:
        """How often the bot has told the provider anything, about whatever service."""
        ...

    def running(self, name: str) -> str:
        """The digest that the newest rollout there rolls, or has rolled."""
        ...

    # Mishaps, until ``heal``

    def throttle_start(self) -> None:
        """Refuse to be told for now."""
        ...

    def deny_start(self) -> None:
        """Refuse the next time, for good."""
        ...

    def delay_start(self, seconds: float) -> None:
        """Let the next telling take that long before it has an effect."""
        ...

    def throttle_reads(self) -> None:
        """Do not let be read what runs."""
        ...

    def delay_reads(self, seconds: float, n: int | None = None) -> None:
        """Let reading what runs take that long."""
        ...

    def delaying(self, within: float) -> bool:
        """Wait until somebody is made to wait."""
        ...

    def heal(self) -> None:
        """No mishap any more."""
        ...


class EcsShore(Shore):
    """On the local AWS."""

    reading, telling = "ecs:DescribeServices", "ecs:UpdateService"
    taken_back = Status.ROLLED_BACK

    def __init__(self, world: World) -> None:
        self._world = world

    @property
    @override
    def environment(self) -> Mapping[str, str]:
        return {}  # it stands where the registry is

    @override
    def place(self, service: str, environment: str) -> str:
        return (
            f"ecs: {{region: eu-west-1, cluster: {CLUSTER}, service: {service}-{environment}, "
            f"container: {service}}}"
        )

    @override
    def furnish(self, service: str, environments: Iterable[str], digest: str) -> None:
        for environment in environments:
            self._world.create_service(
                CLUSTER,
                f"{service}-{environment}",
                container=service,
                repository=service,
                image=digest,
            )

    @override
    def advance(self, seconds: float) -> None:
        self._world.advance(seconds)

    @override
    def settle(self, name: str) -> bool:
        return self._world.run_until_steady(CLUSTER, name)

    @override
    def deploy_aside(self, name: str, image: str) -> None:
        self._world.deploy_out_of_band(CLUSTER, name, image)

    @override
    def told(self, name: str) -> list[str]:
        estate = self._world.estate()
        definitions = [
            find_definition(estate, call.parameters["taskDefinition"], inf)
            for call in self._world.calls("UpdateService")
            if call.took_effect and call.parameters["service"] == name
        ]
        images = [d.document["containerDefinitions"][0]["image"] for d in definitions]
        return [str(image).partition("@")[2] for image in images]

    @override
    def writes(self) -> int:
        return self._world.count("UpdateService")

    @override
    def running(self, name: str) -> str:
        definition = self._world.service(CLUSTER, name).primary.revision.task_definition
        return str(definition.document["containerDefinitions"][0]["image"]).partition("@")[2]

    @override
    def throttle_start(self) -> None:
        self._world.faults.throttle("UpdateService", None)

    @override
    def deny_start(self) -> None:
        self._world.faults.deny("UpdateService", 1)

    @override
    def delay_start(self, seconds: float) -> None:
        self._world.faults.delaying.clear()
        self._world.faults.delay("UpdateService", seconds, n=1)

    @override
    def throttle_reads(self) -> None:
        self._world.faults.throttle("DescribeServices", None)

    @override
    def delay_reads(self, seconds: float, n: int | None = None) -> None:
        self._world.faults.delaying.clear()
        self._world.faults.delay("DescribeServices", seconds, n=n)

    @override
    def delaying(self, within: float) -> bool:
        return self._world.faults.delaying.wait(within)

    @override
    def heal(self) -> None:
        self._world.faults.clear()


ShoreMaker = Callable[[World, Path], AbstractContextManager[Shore]]


@contextmanager
def ecs_shore(world: World, _folder: Path) -> Iterator[Shore]:
    yield EcsShore(world)


def placed(text: str, shore: Shore) -> str:
    """A catalog with the places filled in."""
    return PLACE.sub(lambda found: shore.place(found[1], found[2]), text)
