"""The whole bot with canaries on ECS: each service has a load balancer, and visitors."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from typing_extensions import override

from bot.playground.aws.balancers import Front
from bot.playground.aws.metrics import Publication
from bot.playground.aws.records import Behaviour
from tests.fakes.fleet import CLUSTER
from tests.fakes.harbour import Outside, outside
from tests.fakes.trial_deck import TrialDeck

#: Services that each have a load balancer of their own; a test takes one.
SERVICES = 12
PER_SECOND = 400.0
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
      cloudwatch: {settles_after: 10s}
      inconclusive: ask
      clean_up_after: 10s
"""


class CanaryDeck(TrialDeck):
    """``front`` of a service is its load balancer, its rule and its target groups."""

    def __init__(self, place: Outside, clock: Path) -> None:
        super().__init__(place, clock)
        self.fronts: dict[str, Front] = {}
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

    @override
    def until_gone(self, deployment_id: str) -> None:
        super().until_gone(deployment_id)
        name = f"{deployment_id.rpartition('-')[0]}-canary"
        left = [each for each in self.world.services() if each.name == name]
        assert all(each.status == "INACTIVE" for each in left), left

    def weights(self, service: str) -> tuple[int, int]:
        """Of the stable group and the canary's."""
        front = self.fronts[service]
        found = self.world.balancers.weights(front.rule)
        return found.get(front.stable, 0), found.get(front.canary, 0)

    def shifts(self, service: str) -> int:
        """How often its rule's weights were set."""
        rule = self.fronts[service].rule
        return sum(
            call.took_effect and call.parameters.get("RuleArn") == rule
            for call in self.world.calls("ModifyRule")
        )

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
        return time.time() + float(clock.read_text())

    with outside(folder, url, speed=1.0, wall=wall) as place:
        deck = CanaryDeck(place, clock)
        try:
            deck.sail()
            yield deck
        finally:
            deck.ship.kill()
            deck.engine.dispose()
