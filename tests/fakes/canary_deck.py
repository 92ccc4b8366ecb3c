"""The whole bot, a load balancer with visitors, and a clock that goes as fast as a test needs.

AWS and the bot share the clock: both move with the machine's time, and by leaps with ``pass_time``.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event

from typing_extensions import override

from bot.model.canary import Canary, Phase
from bot.model.deployment import Deployment, Status
from bot.playground.aws.balancers import Front
from bot.playground.aws.metrics import Publication
from bot.playground.aws.records import Behaviour
from tests.fakes.fleet import CLUSTER, Fleet
from tests.fakes.harbour import Outside, Ship, outside

#: Services that each have a load balancer of their own; a test takes one.
SERVICES = 12
PER_SECOND = 40.0
CATALOG = """\
version: 1
services:
SERVICES
environments:
  staging: {policy: relaxed}
policies:
  relaxed:
    deployers: {everyone: true}
    approvers: {groups: [S0CAPTAIN]}
    incident_responders: {users: [U0IRIS001]}
targets:
TARGETS
"""
SERVICE = """\
  svcN:
    repository: acme/svcN
    ecr: {registry: "123456789012", region: eu-west-1, repository: svcN}
"""
TARGET = """\
  - service: svcN
    environment: staging
    timeout: 20m
    ecs: {region: eu-west-1, cluster: CLUSTER, service: svcN-staging, container: svcN}
    canary:
      weighted: {rule: RULE, stable: STABLE, canary: CANARY}
      steps:
        - {share: 10%, bake: 3m}
        - {share: 50%, bake: 2m}
      inconclusive: ask
      clean_up_after: 10s
"""


class CanaryDeck(Fleet):
    """``front`` of a service is its load balancer, its rule and its target groups."""

    def __init__(self, place: Outside, clock: Path) -> None:
        super().__init__(place)
        self._clock = clock
        self.fronts: dict[str, Front] = {}
        self.ship = Ship(place, module="tests.fakes.shifted")
        # What is measured is published at once: when a minute counts is the bot's business.
        self.world.metrics.publication = Publication(least=0, most=0, revised=0, missing=0)
        for number in range(SERVICES):
            self._furnish(f"svc{number}")
        place.write_catalog(self._catalog())

    def _furnish(self, service: str) -> None:
        self.place.push(service, "v1")
        self.place.push(service, "v2")
        self.fronts[service] = self.world.balancers.create_service(
            CLUSTER,
            f"{service}-staging",
            image="v1",
            repository=service,
            container=service,
            desired=4,
            per_second=PER_SECOND,
            history=60,
            deregistration_delay=5,
        )

    def _catalog(self) -> str:
        services = "".join(SERVICE.replace("svcN", name) for name in self.fronts)
        targets = "".join(
            TARGET.replace("svcN", name)
            .replace("CLUSTER", CLUSTER)
            .replace("RULE", f'"{front.rule}"')
            .replace("STABLE", f'"{front.stable}"')
            .replace("CANARY", f'"{front.canary}"')
            for name, front in self.fronts.items()
        )
        return CATALOG.replace("SERVICES\n", services).replace("TARGETS\n", targets)

    @override
    def service(self) -> str:
        return f"svc{next(self._numbers)}"

    # --- time ----------------------------------------------------------------------------------

    def pass_time(self, seconds: float) -> None:
        """For AWS and then for the bot, which so never asks for what is not there yet."""
        self.world.advance(seconds)
        self._clock.write_text(str(float(self._clock.read_text() or 0) + seconds))

    def later(self, true: object, what: str, *, leap: float = 20.0, most: float = 7200.0) -> None:
        """Let time pass until something is true, with a pause for the bot after each leap."""
        assert callable(true)
        passed, pause = 0.0, Event()
        give_up = time.monotonic() + 240
        while not true():
            assert passed < most, f"gave up waiting for {what}"
            assert time.monotonic() < give_up, f"gave up waiting for {what}"
            self.pass_time(leap)
            passed += leap
            pause.wait(0.35)

    # --- canaries --------------------------------------------------------------------------------

    def begin(self, service: str, version: str = "v2") -> str:
        """A canary is asked for; its deployment's id."""
        before = len(self.of(service))
        self.asks("alice", f"{service} staging {version} --canary")
        return f"{service}-staging-{before + 1}"

    def canary(self, deployment_id: str) -> Canary | None:
        with self.database.read() as tx:
            return tx.canaries.get(deployment_id)

    def until_phase(self, deployment_id: str, *phases: Phase, step: int | None = None) -> Canary:
        def there() -> bool:
            found = self.canary(deployment_id)
            return found is not None and found.phase in phases and step in {None, found.step}

        self.later(there, f"{deployment_id} to be {phases}; {self.canary(deployment_id)}")
        found = self.canary(deployment_id)
        assert found is not None
        return found

    def until_ended(self, deployment_id: str, *wanted: Status) -> Deployment:
        self.later(
            lambda: self.get(deployment_id).settled,
            f"the end of {deployment_id}: {self.canary(deployment_id)}",
        )
        found = self.get(deployment_id)
        assert found.status in wanted, found
        return found

    def until_gone(self, deployment_id: str) -> None:
        """Until nothing of the canary is left."""
        self.until_phase(deployment_id, Phase.OVER)
        name = f"{deployment_id.rpartition('-')[0]}-canary"
        left = [each for each in self.world.services() if each.name == name]
        assert all(each.status == "INACTIVE" for each in left), left

    def weights(self, service: str) -> tuple[int, int]:
        """Of the stable group and the canary's."""
        front = self.fronts[service]
        found = self.world.balancers.weights(front.rule)
        return found.get(front.stable, 0), found.get(front.canary, 0)

    def conduct(self, name: str, service: str, words: str) -> str:
        return self.asks(name, f"{service} staging {words}", slash="/canary")

    def crash(self) -> None:
        """``kill -9``, and a new start."""
        self.ship.kill()
        self.sail()

    def sail(self) -> None:
        self.ship.start(SHIFTED_BY=str(self._clock))

    def made(self, service: str) -> int:
        """How many canary services were made for it."""
        return sum(
            call.took_effect and call.parameters.get("serviceName") == f"{service}-staging-canary"
            for call in self.world.calls("CreateService")
        )

    def turns_bad(self, service: str, tag: str) -> None:
        """From now on tasks of that version crash when they start."""
        with self.world.lock:
            image = self.world.estate().repositories[service].find(tag)
            assert image is not None
            image.behaviour = Behaviour.CRASHING


@contextmanager
def canary_deck(folder: Path, database_url: str = "") -> Iterator[CanaryDeck]:
    """Stand-ins, and a bot that is ready."""
    url = database_url or f"sqlite:///{folder / 'quarterdeck.db'}"
    clock = folder / "ahead"
    clock.write_text("0")

    def wall() -> float:
        return time.time() + float(clock.read_text() or 0)

    with outside(folder, url, speed=1.0, wall=wall) as place:
        deck = CanaryDeck(place, clock)
        try:
            deck.sail()
            yield deck
        finally:
            deck.ship.kill()
            deck.engine.dispose()
